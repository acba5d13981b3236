package health

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// keptTarget counts its connections, and answers each as answer says.
type keptTarget struct {
	address string
	conns   atomic.Int64
	asked   atomic.Int64
	live    sync.WaitGroup
}

const (
	wellLasting = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	wellClosing = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
	illLasting  = "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"
)

// startKeptTarget answers the nth request of a connection, from 0, with answer(n): ""
// closes the connection, and "wait" waits for its end.
func startKeptTarget(t *testing.T, answer func(n int) string) *keptTarget {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := &keptTarget{address: l.Addr().String()}
	target.live.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			target.conns.Add(1)
			target.live.Go(func() { target.serve(conn, answer) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		target.live.Wait()
	})
	return target
}

func (k *keptTarget) serve(conn net.Conn, answer func(n int) string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for n := 0; ; n++ {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		k.asked.Add(1)
		text := answer(n)
		switch text {
		case "":
			return
		case "wait":
			_, _ = io.Copy(io.Discard, conn)
			return
		}
		_, _ = io.WriteString(conn, text)
		if req.Close {
			return
		}
	}
}

// inCrowd probes target as one of so many, and returns its monitor and its changes.
func (k *keptTarget) inCrowd(t *testing.T, targets int64, o Options) (*Monitor, <-chan Change) {
	t.Helper()
	if o.Crowd == nil {
		o.Crowd = newCrowd(t, &countedRoom{t: t, left: 1})
	}
	o.Crowd.probed.Add(targets - 1)
	t.Cleanup(func() { o.Crowd.probed.Add(1 - targets) })
	o.Address, o.Interval = k.address, minInterval
	changes := make(chan Change, 100)
	m := NewMonitor(o, func(c Change) { changes <- c })
	m.Start(0)
	t.Cleanup(m.Stop)
	return m, changes
}

// countedRoom has so many descriptors left.
type countedRoom struct {
	t    *testing.T
	left int // guarded by mu
	mu   sync.Mutex
}

func (r *countedRoom) TakeSpare() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == 0 {
		return false
	}
	r.left--
	return true
}

func (r *countedRoom) GiveSpare() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left++; r.left > 1 {
		r.t.Error("more was given back than taken")
	}
}

// keeps is how many connections are kept.
func keeps(m *Monitor) int {
	m.o.Crowd.mu.Lock()
	defer m.o.Crowd.mu.Unlock()
	return len(m.o.Crowd.kept)
}

// until waits for something that has to come.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !met() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 30s: %s", what)
		}
	}
}

// wantHealthy holds that the target became healthy and nothing else.
func wantHealthy(t *testing.T, changes <-chan Change) {
	t.Helper()
	if got := <-changes; got.To != Healthy {
		t.Fatalf("got %+v, want healthy", got)
	}
	select {
	case got := <-changes:
		t.Errorf("got %+v, want no other change", got)
	default:
	}
}

func lasting(int) string { return wellLasting }

func TestMonitor_amongMany_asksOftenOnAConnection(t *testing.T) {
	target := startKeptTarget(t, lasting)
	_, changes := target.inCrowd(t, manyTargets+1, Options{})
	until(t, "six connections", func() bool { return target.conns.Load() == 6 })
	// The first is asked before the target is healthy, and so closes; the sixth has just begun.
	if asked := target.asked.Load(); asked < 4*mostAsks/2 || asked > 1+5*mostAsks {
		t.Errorf("%d probes on six connections, want %d to %d on each of four", asked, mostAsks/2, mostAsks)
	}
	wantHealthy(t, changes)
}

func TestMonitor_keepsNoConnection(t *testing.T) {
	tests := []struct {
		name    string
		targets int64
		o       Options
		answer  string
	}{
		{"few targets", manyTargets, Options{}, wellLasting},
		{"target closes", manyTargets + 1, Options{}, wellClosing},
		{"never settled", manyTargets + 1, Options{StatusMin: 200}, illLasting},
		{"no descriptor", manyTargets + 1, Options{Crowd: NewCrowd(nil)}, wellLasting},
		{"surplus", manyTargets + 1, Options{}, wellLasting + "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := startKeptTarget(t, func(int) string { return tt.answer })
			target.inCrowd(t, tt.targets, tt.o)
			until(t, "30 probes", func() bool { return target.asked.Load() > 30 })
			if asked, conns := target.asked.Load(), target.conns.Load(); conns < asked {
				t.Errorf("%d connections for %d probes, want one each", conns, asked)
			}
		})
	}
}

// What a kept connection says counts only if it is good.
func TestMonitor_amongMany_asksAgainOnANewConnection(t *testing.T) {
	tests := []struct{ name, second string }{
		{"closed", ""},
		{"another status", illLasting},
		{"no answer", "wait"},
		{"no HTTP", "\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := startKeptTarget(t, func(n int) string {
				if n == 0 {
					return wellLasting
				}
				return tt.second
			})
			m, changes := target.inCrowd(t, manyTargets+1, Options{Timeout: time.Second, MaxAttempts: 1})
			until(t, "a second request on a connection", func() bool { return target.asked.Load() > 2 })
			asked := target.asked.Load()
			until(t, "probes behind it", func() bool { return target.asked.Load() > asked+10 })
			wantHealthy(t, changes)
			if last, _ := m.Last(); !last.OK {
				t.Errorf("last probe: %v", last)
			}
			if asked, conns := target.asked.Load(), target.conns.Load(); asked-conns > 1 {
				t.Errorf("%d connections for %d requests, want one each but for the one that was asked again", conns, asked)
			}
		})
	}
}

// A target that hangs is found out within the timeout, which both connections share.
func TestMonitor_amongMany_aTargetThatHangsIsJudgedInTime(t *testing.T) {
	var hangs atomic.Bool
	target := startKeptTarget(t, func(n int) string {
		if hangs.Load() {
			return "wait"
		}
		return wellLasting
	})
	const timeout = 500 * time.Millisecond
	m, changes := target.inCrowd(t, manyTargets+1, Options{Timeout: timeout, MaxAttempts: 1})
	until(t, "a kept connection", func() bool { return target.asked.Load() > target.conns.Load() })
	wantHealthy(t, changes)
	hangs.Store(true)
	if got := <-changes; got.To != Unhealthy || got.Reason != "GET /up: no answer within 500ms" {
		t.Errorf("got %+v", got)
	}
	last, _ := m.Last()
	if want := timeout - timeout/keptPart; last.Duration < want/2 || last.Duration > want+timeout/2 && last.Duration < timeout {
		t.Errorf("the new connection had %v, want what the kept one left of %v", last.Duration, timeout)
	}
}

func TestMonitor_evidenceEndsAKeptConnection(t *testing.T) {
	for name, tell := range map[string]func(*Monitor){
		"suspect":  func(m *Monitor) { m.Suspect("connection refused") },
		"distrust": (*Monitor).Distrust,
	} {
		t.Run(name, func(t *testing.T) {
			target := startKeptTarget(t, lasting)
			m, _ := target.inCrowd(t, manyTargets+1, Options{})
			until(t, "a kept connection", func() bool { return keeps(m) == 1 })
			tell(m)
			until(t, "no kept connection", func() bool { return keeps(m) == 0 })
			asked, conns := target.asked.Load(), target.conns.Load()
			until(t, "probes behind it", func() bool { return target.asked.Load() > asked+20 })
			if n := target.conns.Load() - conns; n < 19 {
				t.Errorf("%d connections for 20 probes, want one each", n)
			}
		})
	}
}

func TestCrowd_Shed_closesWhatIsKeptAndLeavesTheTargetAlone(t *testing.T) {
	target := startKeptTarget(t, lasting)
	m, changes := target.inCrowd(t, manyTargets+1, Options{MaxAttempts: 1})
	for range 20 {
		until(t, "a kept connection", func() bool { return keeps(m) == 1 })
		if !m.o.Crowd.Shed() {
			t.Error("got nothing, want the kept connection closed")
		}
	}
	asked := target.asked.Load()
	until(t, "probes behind it", func() bool { return target.asked.Load() > asked+20 })
	wantHealthy(t, changes)
}

// A thousand calls that come too late, or just in time, leave nothing behind Stop: goleak
// and the race detector tell.
func TestMonitor_Stop_whileEvidenceComes(t *testing.T) {
	target := startKeptTarget(t, lasting)
	for range 20 {
		m := NewMonitor(Options{Address: target.address, Interval: minInterval, Initial: Healthy, Crowd: NewCrowd(nil)}, nil)
		m.Start(0)
		var told sync.WaitGroup
		for range 4 {
			told.Go(func() {
				for range 50 {
					m.Suspect("connection reset")
					m.Distrust()
				}
			})
		}
		m.Stop()
		if m.loop.alarm.timer.Stop() {
			t.Error("a call was still to come behind Stop")
		}
		told.Wait()
		if m.loop.alarm.timer.Stop() {
			t.Error("evidence behind Stop had a call set")
		}
	}
}
