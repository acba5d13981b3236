package proxy

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"upfront/balancer"
	"upfront/health"
	"upfront/service"
)

// held sends n requests to a gate that is paused, and returns who waits.
func (r *rig) held(n int, raw string) []*wire {
	r.t.Helper()
	clients := make([]*wire, n)
	before := r.svc.Gate.Held()
	for i := range clients {
		clients[i] = r.wire()
		_ = clients[i].SetDeadline(time.Now().Add(time.Minute))
		clients[i].send(raw)
	}
	eventually(r.t, "all are held", func() bool { return r.svc.Gate.Held() == before+int64(n) })
	return clients
}

// limitedTo is a service with one target that takes limit requests at once.
func limitedTo(limit int, address string) *service.Service {
	svc := newService()
	svc.Gate = service.NewGate(1000)
	svc.Pool = balancer.NewPool([]*balancer.Target{balancer.NewTarget(balancer.TargetOptions{
		Address: address, Health: health.Healthy, MaxInFlight: limit,
		Transport: NewTransport(address, func() time.Duration { return 2 * time.Second }),
	})}, balancer.PoolOptions{})
	return svc
}

func TestGate_resume_findsRoomForAllThatItHeld(t *testing.T) {
	var busy, most atomic.Int64
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		for {
			if _, err := readHead(r); err != nil {
				return
			}
			for n := busy.Add(1); ; {
				m := most.Load()
				if n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			<-time.After(2 * time.Millisecond)
			busy.Add(-1)
			if _, err := io.WriteString(c, ok("x")); err != nil {
				return
			}
		}
	})
	const limit = 2
	r := newRig(t, Settings{}, limitedTo(limit, target.addr))
	r.svc.Gate.Pause(time.Minute)
	clients := r.held(100, plainGET)
	r.svc.Gate.Resume()
	// Who comes now finds the target full, too, because of the pause.
	for range 30 {
		w := r.wire()
		_ = w.SetDeadline(time.Now().Add(time.Minute))
		w.send(plainGET)
		clients = append(clients, w)
	}
	for i, w := range clients {
		if res, body := w.receive("GET"); res.StatusCode != 200 {
			t.Fatalf("request %d: got %d %s", i, res.StatusCode, body)
		}
	}
	if got := most.Load(); got > limit {
		t.Errorf("the target had %d requests at once, want at most %d", got, limit)
	}
	eventually(t, "nobody is in line", func() bool { return !r.svc.Gate.Crowded() && r.svc.Gate.Held() == 0 })
}

func TestGate_withoutAPause_afullTargetIsSaidAtOnce(t *testing.T) {
	asked := make(chan struct{}, 1)
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		_, _ = readHead(r)
		asked <- struct{}{}
		_, _ = r.ReadByte()
	})
	r := newRig(t, Settings{}, limitedTo(1, target.addr))
	r.svc.Gate.Pause(time.Minute)
	r.svc.Gate.Resume() // a pause that held nobody
	w := r.wire()
	w.send(plainGET)
	next(t, asked)
	if res, _ := r.get(); res.StatusCode != 503 {
		t.Errorf("got %d, want 503", res.StatusCode)
	}
	_ = w.Close()
}

// Nor by bodies that are gathered: others go on while they come.
func TestGate_resume_isNotHeldUpBySlowBodies(t *testing.T) {
	svc := gathering(httpTarget(t, mirror))
	svc.Gate = service.NewGate(1000)
	r := newRig(t, Settings{}, svc)
	svc.Gate.Pause(time.Minute)
	slow := r.held(100, "POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
	quick := r.held(1, plainGET)
	svc.Gate.Resume()
	if res, _ := quick[0].receive("GET"); res.StatusCode != 200 {
		t.Errorf("got %d", res.StatusCode)
	}
	r.awaitSpooled(100)
	for _, w := range slow {
		w.send("hello")
	}
	for _, w := range slow {
		if res, body := w.receive("POST"); res.StatusCode != 200 || body != "hello" {
			t.Errorf("got %d %q", res.StatusCode, body)
		}
	}
	eventually(t, "nobody is in line", func() bool { return !svc.Gate.Crowded() && svc.Gate.Held() == 0 })
}

// Those whose bodies were gathered after a pause go on in line as well.
func TestGate_resume_letsGatheredBodiesThroughInLine(t *testing.T) {
	svc := gathering(newRawTarget(t, silent).addr)
	svc.Gate = service.NewGate(1000)
	r := newRig(t, Settings{}, svc)
	svc.Gate.Pause(time.Minute)
	slow := r.held(1, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
	svc.Gate.Resume()
	r.awaitSpooled(1)
	var line []service.Place // full
	for range 64 {
		place, err := svc.Gate.Join(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		line = append(line, place)
	}
	slow[0].send("hello")
	eventually(t, "it waits in line", func() bool { return svc.Gate.Held() == 1 })
	for i := range line {
		line[i].End()
	}
	eventually(t, "it is sent", func() bool { return r.inFlight() == 1 })
	_ = slow[0].Close()
}

// An answer without an end gives its place to the next one all the same.
func TestGate_resume_isNotHeldUpByStreams(t *testing.T) {
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		_, _ = readHead(r)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
		_, _ = r.ReadByte()
	})
	svc := newService(target.addr)
	svc.Gate = service.NewGate(1000)
	r := newRig(t, Settings{}, svc)
	svc.Gate.Pause(time.Minute)
	clients := r.held(150, plainGET)
	svc.Gate.Resume()
	for _, w := range clients {
		if head := w.head(); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
			t.Fatalf("got %s", head)
		}
	}
	for _, w := range clients {
		_ = w.Close()
	}
}

func TestGate_letsGoOfAClientThatLeavesWithABodyUnread(t *testing.T) {
	svc := newService(answering(t, ok("x")).addr)
	r := newRig(t, Settings{}, svc)
	svc.Gate.Pause(time.Minute)
	clients := r.held(3, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"+string(payload(20_000)))
	for _, w := range clients {
		_ = w.Close()
	}
	eventually(t, "their places are free", func() bool { return svc.Gate.Held() == 0 })
	if n := svc.Pool.Targets()[0].InFlight(); n != 0 {
		t.Errorf("%d requests are counted", n)
	}
}

func TestGate_answers404OnceTheServiceIsRemoved(t *testing.T) {
	svc := newService("127.0.0.1:1")
	svc.ErrorPages = pagesOf(t, map[string]string{"404.html": "of the service"})
	routes := &table{}
	routes.publish(svc)
	root := pagesOf(t, map[string]string{"404.html": "of nobody"})
	r := newRigOf(t, Settings{ErrorPages: root}, svc, routes)
	svc.Gate.Pause(time.Minute)
	clients := r.held(3, plainGET)
	routes.svc.Store(nil)
	svc.Gate.Resume() // as the registry does
	for _, w := range clients {
		if res, body := w.receive("GET"); res.StatusCode != 404 || body != "of nobody" || res.Close {
			t.Errorf("got %d %q, close %v", res.StatusCode, body, res.Close)
		}
	}
}

func TestGate_asksForNoBodyWhileItHolds(t *testing.T) {
	svc := newService(httpTarget(t, mirror))
	r := newRig(t, Settings{}, svc)
	svc.Gate.Pause(time.Minute)
	w := r.held(1, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")[0]
	_ = w.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if b, err := w.r.ReadByte(); err == nil {
		t.Fatalf("got %q while held, want silence", b)
	}
	_ = w.SetReadDeadline(time.Now().Add(10 * time.Second))
	svc.Gate.Resume()
	if head := w.head(); !strings.HasPrefix(head, "HTTP/1.1 100 ") {
		t.Fatalf("got %s", head)
	}
	w.send("hello")
	if res, body := w.receive("POST"); res.StatusCode != 200 || body != "hello" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
}

// A stop that comes while they are in line is for them, too.
func TestGate_stop_reachesThoseInLine(t *testing.T) {
	asked := make(chan struct{}, 1)
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		_, _ = readHead(r)
		asked <- struct{}{}
		_, _ = r.ReadByte()
	})
	r := newRig(t, Settings{}, limitedTo(1, target.addr))
	r.svc.Gate.Pause(time.Minute)
	clients := r.held(100, plainGET)
	r.svc.Gate.Resume()
	next(t, asked) // one is at the target, the others find it full
	r.svc.Gate.Stop("Closed")
	got := make(chan bool, len(clients))
	for _, w := range clients {
		go func() {
			b := make([]byte, 1<<10)
			n, _ := w.Read(b)
			got <- strings.HasPrefix(string(b[:n]), "HTTP/1.1 503 ") && strings.Contains(string(b[:n]), "Closed")
		}()
	}
	for range len(clients) - 1 {
		if !next(t, got) {
			t.Error("got something else than the maintenance page")
		}
	}
	for _, w := range clients {
		_ = w.Close()
	}
	next(t, got)
}
