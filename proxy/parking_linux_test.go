package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// parked counts the clients that have no goroutine.
func (r *rig) parked() int {
	return r.count(func(c *client) bool {
		c.server.watch.mu.Lock()
		defer c.server.watch.mu.Unlock()
		return c.parked
	})
}

func (r *rig) count(is func(*client) bool) (n int) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	for c := range r.server.seats.clients {
		if is(c) {
			n++
		}
	}
	return n
}

// park asks once on each of n connections, which idle from then on in the order of the
// list, and waits until all are parked.
func (r *rig) park(n int) []*wire {
	r.t.Helper()
	list := make([]*wire, n)
	for i := range list {
		list[i] = r.wire()
		_ = list[i].SetDeadline(time.Time{})
		r.once(list[i])
		eventually(r.t, "it idles", func() bool { return r.count(func(c *client) bool { return c.idleSince.Load() > 0 }) == i+1 })
	}
	eventually(r.t, "all are parked", func() bool { return r.parked() == n })
	return list
}

func (r *rig) once(w *wire) {
	r.t.Helper()
	w.send("POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
	w.head()
	if _, err := io.ReadFull(w.r, make([]byte, 5)); err != nil {
		r.t.Fatal(err)
	}
}

func TestClient_answersAfterItWasParked(t *testing.T) {
	r := newRig(t, Settings{}, newService(httpTarget(t, mirror)))
	list := r.park(3)
	for range 2 {
		for _, w := range list {
			r.once(w)
		}
	}
	if n := r.parked(); n != 0 {
		t.Errorf("%d are parked that have just asked", n)
	}
}

func TestClient_parkedGoesWhenItLeaves(t *testing.T) {
	r := newRig(t, Settings{}, newService(httpTarget(t, mirror)))
	list := r.park(2)
	_ = list[0].Close()
	list[1].reset()
	eventually(t, "nobody is connected", func() bool { return r.server.Counters()["upfront_connections"] == 0 })
}

func TestClient_parkedEndsAfterTheIdleTimeout(t *testing.T) {
	r := newRig(t, Settings{IdleTimeout: parkAfter + 100*time.Millisecond}, newService(httpTarget(t, mirror)))
	w := r.wire()
	r.once(w)
	if _, err := w.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end of the connection", err)
	}
}

func TestClient_parkedMakesRoom(t *testing.T) {
	r := newRig(t, Settings{}, newService(httpTarget(t, mirror)))
	list := r.park(2)
	if n := r.server.closeIdle(1); n != 1 {
		t.Errorf("closed %d connections, want 1", n)
	}
	if _, err := list[0].r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end of the connection that idled longest", err)
	}
	r.once(list[1])
}

// Where no descriptor can be watched any more, as when fs.epoll.max_user_watches is used
// up, a client costs a goroutine and not its connection.
func TestClient_thatCannotBeParkedIsServedOn(t *testing.T) {
	r := newRig(t, Settings{}, newService(httpTarget(t, mirror)))
	w := r.wire()
	r.once(w)
	_ = r.server.watch.file.Close()
	for range 2 {
		_ = w.SetDeadline(time.Now().Add(parkAfter + 200*time.Millisecond))
		if _, err := w.r.ReadByte(); !timedOut(err) {
			t.Fatalf("got %v, want silence", err)
		}
		_ = w.SetDeadline(time.Time{})
		r.once(w)
	}
}

func TestClient_thatCannotBeParkedEndsAfterTheIdleTimeout(t *testing.T) {
	r := newRig(t, Settings{IdleTimeout: parkAfter + 100*time.Millisecond}, newService(httpTarget(t, mirror)))
	w := r.wire()
	r.once(w)
	_ = r.server.watch.file.Close()
	if _, err := w.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end of the connection", err)
	}
}

// Whoever ends idle clients may come between the wait that was to be the last one of a
// goroutine and the next.
func TestClient_thatCannotBeParkedIsDismissedBetweenItsWaits(t *testing.T) {
	r := newRig(t, Settings{IdleTimeout: parkAfter}, newService(httpTarget(t, mirror)))
	r.once(r.wire())
	_, conn := net.Pipe()
	c := newClient(r.server, conn, &listener{})
	c.begun, c.idles, c.stays = true, true, true
	c.idleSince.Store(dismissed)
	if c.awaitBytes() || !c.last {
		t.Error("the client idles on")
	}
}

func TestServer_Shutdown_endsThoseThatAreParked(t *testing.T) {
	r := newRig(t, Settings{}, newService(httpTarget(t, mirror)))
	list := r.park(3)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	done := make(chan error)
	go func() { done <- r.server.Shutdown(ctx) }()
	eventually(t, "it shuts down", r.server.leaving.Load)
	r.once(list[0]) // one that asks meanwhile is answered
	if err := <-done; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	for _, w := range list {
		if _, err := w.r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want the end of the connection", err)
		}
	}
}
