package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// noTunnel waits until every tunnel is over.
func (r *rig) noTunnel() {
	r.t.Helper()
	eventually(r.t, "the tunnel is gone", func() bool { return r.server.Counters()["upfront_tunnels"] == 0 })
}

// isEnding waits until a drain has reached the tunnel.
func (r *rig) isEnding() {
	r.t.Helper()
	eventually(r.t, "the tunnel is ending", func() bool {
		r.server.mu.Lock()
		defer r.server.mu.Unlock()
		for tunnel := range r.server.tunnels {
			return tunnel.ending.Load()
		}
		return false
	})
}

// every calls do at an interval until it fails.
func every(interval time.Duration, do func() error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for do() == nil {
		<-tick.C
	}
}

func TestTunnel_endsAtADrainThoughTheClientTakesNothing(t *testing.T) {
	stuck := make(chan struct{})
	target := tunnelled(t, "", func(c net.Conn, _ *bufio.Reader) {
		_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // longer than it takes to fill all buffers
		for {
			if _, err := c.Write(frame(2, 100_000, false)); err != nil {
				break
			}
		}
		close(stuck)
		_, _ = io.Copy(io.Discard, c)
	})
	r := newRig(t, Settings{}, newService(target.addr))
	r.upgrade("")
	next(t, stuck)
	cut := r.drained()
	r.noTunnel()
	next(t, cut)
}

func TestTunnel_endsAtADrainThoughTheTargetIsDone(t *testing.T) {
	talked := make(chan struct{})
	target := tunnelled(t, "", func(c net.Conn, r *bufio.Reader) {
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.CopyN(io.Discard, r, 5)
		close(talked)
		_, _ = io.Copy(io.Discard, r)
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.upgrade("")
	w.ends(true)
	go every(50*time.Millisecond, func() error { _, err := w.Write([]byte{0}); return err })
	next(t, talked)
	cut := r.drained()
	r.noTunnel()
	next(t, cut)
}

func TestTunnel_endsAtADrainThoughAFrameComesByteByByte(t *testing.T) {
	target := tunnelled(t, string(frame(2, 1_000_000, false)[:10]), func(c net.Conn, _ *bufio.Reader) {
		every(50*time.Millisecond, func() error { _, err := c.Write([]byte("x")); return err })
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.upgrade("")
	cut := r.drained()
	_, _ = io.ReadAll(w.r)
	r.noTunnel()
	next(t, cut)
}

func TestTunnel_letsTheTargetsOwnCloseFrameEnd(t *testing.T) {
	goOn := make(chan struct{})
	own := string(frame(opClose, 20, false))
	target := tunnelled(t, own[:1], func(c net.Conn, r *bufio.Reader) {
		for _, piece := range []string{own[1:3], own[3:]} {
			next(t, goOn)
			_, _ = io.WriteString(c, piece)
		}
		_, _ = io.Copy(io.Discard, r)
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.upgrade("")
	w.exactly(own[:1])
	cut := r.drained()
	r.isEnding()
	goOn <- struct{}{}
	w.exactly(own[1:3])
	goOn <- struct{}{}
	w.exactly(own[3:])
	w.ends(true)
	next(t, cut)
}

func TestTunnel_passesTheAnswerToTheGoodbyeOn(t *testing.T) {
	got := make(chan string, 1)
	target := tunnelled(t, "", func(c net.Conn, r *bufio.Reader) {
		go func() {
			b := frame(2, 9_999, false) // without rest
			for {
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		}()
		b, err := io.ReadAll(r)
		if err != nil {
			t.Errorf("target's connection ended with %v", err)
		}
		got <- string(b)
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.upgrade("")
	cut := r.drained()
	for {
		head, err := w.r.Peek(4)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(head, goingAway) {
			break
		}
		if _, err := w.r.Discard(10_003); err != nil {
			t.Fatal(err)
		}
	}
	w.exactly(string(goingAway))
	answer := string(frame(opClose, 2, true))
	for i := range answer { // in pieces
		w.send(answer[i : i+1])
	}
	if b := next(t, got); b != answer {
		t.Errorf("target got %q, want %q", b, answer)
	}
	w.ends(true)
	next(t, cut)
}

func TestTunnel_passesOnWhatTheTargetSaidBeforeItReset(t *testing.T) {
	last := string(frame(1, 60_000, false)) + string(frame(opClose, 2, false))
	goOn := make(chan struct{})
	target := tunnelled(t, "", func(c net.Conn, _ *bufio.Reader) {
		_, _ = io.WriteString(c, last)
		next(t, goOn)
		_ = c.(*net.TCPConn).SetLinger(0)
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.upgrade("")
	w.send(strings.Repeat("x", 1<<20)) // more than the target ever reads
	w.exactly(last[:10])
	close(goOn)
	r.noTunnel()
	w.exactly(last[10:])
	w.ends(true)
}

// trickle is a connection that takes a few bytes before each deadline.
type trickle struct {
	net.Conn
	took  int
	calls int
}

func (c *trickle) Write(b []byte) (int, error) {
	c.calls++
	n := min(c.took, len(b))
	if n == len(b) {
		return n, nil
	}
	return n, timeoutError{}
}

func (c *trickle) SetWriteDeadline(time.Time) error { return nil }

type timeoutError struct{}

func (timeoutError) Error() string { return "timeout" }
func (timeoutError) Timeout() bool { return true }

func TestTunnel_write_hasPatienceAsLongAsThePeerTakesSomething(t *testing.T) {
	for _, c := range []struct {
		name        string
		took, calls int
		ending, ok  bool
	}{
		{"all", 1000, 1, false, true},
		{"some", 300, 4, false, true},
		{"nothing", 0, 1, false, false},
		{"some, but it is to end", 300, 1, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := &trickle{took: c.took}
			tunnel := &tunnel{stall: time.Minute}
			tunnel.ending.Store(c.ending)
			if err := tunnel.write(&socket{Conn: conn}, make([]byte, 1000)); (err == nil) != c.ok || conn.calls != c.calls {
				t.Errorf("got %v in %d writes, want success %v in %d", err, conn.calls, c.ok, c.calls)
			}
		})
	}
}
