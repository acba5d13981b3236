package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// connected returns a transport and a connection of it that is in use.
func connected(t *testing.T, address string) (*transport, *targetConn) {
	t.Helper()
	tr := NewTransport(address, func() time.Duration { return time.Second }).(*transport)
	t.Cleanup(tr.Close)
	conn := tr.newConn()
	if err := conn.connect(); err != nil {
		t.Fatal(err)
	}
	return tr, conn
}

func silent(_ net.Conn, r *bufio.Reader) { _, _ = r.WriteTo(io.Discard) }

func TestTransport_take_returnsTheConnectionUsedLast(t *testing.T) {
	tr, first := connected(t, newRawTarget(t, silent).addr)
	second := tr.newConn()
	if err := second.connect(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tr.put(first, now)
	tr.put(second, now)
	if got := tr.take(now, false); got != second {
		t.Error("got the connection that was used first")
	}
	if got := tr.take(now, false); got != first {
		t.Error("got no second connection")
	}
	if got := tr.take(now, false); got != nil {
		t.Error("got a third connection")
	}
	tr.discard(first)
	tr.discard(second)
}

func TestTransport_closeIdle_closesWhatIdled(t *testing.T) {
	tr, old := connected(t, newRawTarget(t, silent).addr)
	fresh := tr.newConn()
	if err := fresh.connect(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tr.put(old, now.Add(-targetIdle-time.Second))
	tr.put(fresh, now)
	tr.closeIdle()
	if _, err := old.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the old connection is open: %v", err)
	}
	if got := tr.take(now, false); got != fresh {
		t.Error("the fresh connection is gone")
	}
	tr.discard(fresh)
	if n := len(tr.open); n != 0 {
		t.Errorf("%d connections are counted as open", n)
	}
}

func TestTransport_Close_lastsForWhatIsInUse(t *testing.T) {
	tr, conn := connected(t, newRawTarget(t, silent).addr)
	tr.Close()
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Errorf("a connection in use was closed: %v", err)
	}
	tr.put(conn, time.Now())
	if _, err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a connection that came back was kept: %v", err)
	}
	tr.Close()
}

func TestTransport_Cut_endsWhatIsInUseAndDials(t *testing.T) {
	tr, conn := connected(t, newRawTarget(t, silent).addr)
	dialling := tr.newConn()
	idle := tr.newConn()
	if err := idle.connect(); err != nil {
		t.Fatal(err)
	}
	tr.put(idle, time.Now())
	if n := tr.Cut(); n != 2 {
		t.Errorf("cut %d, want the one in use and the one that dials", n)
	}
	for _, c := range []*targetConn{conn, dialling} {
		if !errors.Is(c.killed(), errCut) {
			t.Errorf("killed is %v", c.killed())
		}
	}
	if err := dialling.connect(); !errors.Is(err, errCut) {
		t.Errorf("it dialled on: %v", err)
	}
	tr.put(conn, time.Now())
	tr.discard(dialling)
	if got := tr.take(time.Now(), false); got != idle {
		t.Error("the idle connection is gone, or a dead one was kept")
	}
	tr.discard(idle)
}

func TestTargetConn_kill_isSafeAtAnyMoment(t *testing.T) {
	target := newRawTarget(t, silent)
	tr := NewTransport(target.addr, func() time.Duration { return time.Second }).(*transport)
	t.Cleanup(tr.Close)
	for range 200 {
		conn := tr.newConn()
		var killer sync.WaitGroup
		killer.Go(func() { conn.kill(errClientLeft) })
		err := conn.connect()
		killer.Wait()
		if conn.killed() == nil {
			t.Fatal("kill left no trace")
		}
		if err == nil {
			if _, err := conn.Write([]byte("x")); err == nil {
				t.Fatal("connection survived a kill")
			}
		}
		tr.discard(conn)
	}
	if n := len(tr.open); n != 0 {
		t.Errorf("%d connections are counted as open", n)
	}
}

func TestServer_doesNotKeepAConnectionThatAnsweredAHead(t *testing.T) {
	dials := make(chan struct{}, 10)
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		dials <- struct{}{}
		for {
			if _, err := readHead(r); err != nil {
				return
			}
			_, _ = io.WriteString(c, ok("hello")) // also to a HEAD, wrongly
		}
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, _ := w.receive("HEAD"); res.StatusCode != 200 {
		t.Fatalf("got %d", res.StatusCode)
	}
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, body := w.receive("GET"); body != "hello" {
		t.Errorf("got %q", body)
	}
	next(t, dials)
	next(t, dials)
}
