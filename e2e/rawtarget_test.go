package e2e

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// rawTarget is a target inside the test: what it sees, and when, can be compared
// with what the clients did. It answers probes itself; all else is up to answer.
type rawTarget struct {
	address string
	// answer serves one request, whose body it reads or not, and reports whether
	// the connection goes on.
	answer func(x *asked) (goOn bool)
	// idle is how long a connection may wait for another request; nil is for ever.
	idle func() time.Duration

	opened atomic.Int64 // connections, those of probes too

	mu     sync.Mutex
	conns  map[net.Conn]struct{} // guarded by mu
	closed bool                  // guarded by mu
	wait   sync.WaitGroup
}

// asked is one request that a rawTarget got.
type asked struct {
	*http.Request
	conn *net.TCPConn
	in   *bufio.Reader
}

// say writes an answer as it goes over the wire; a client that has left will be
// noticed when it is read from.
func (x *asked) say(text string) { _, _ = io.WriteString(x.conn, text) }

// startRaw starts a target that the test ends.
func startRaw(t testing.TB, r *rawTarget) *rawTarget {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.address, r.conns = ln.Addr().String(), make(map[net.Conn]struct{})
	r.wait.Go(func() { r.accept(ln) })
	t.Cleanup(func() {
		_ = ln.Close()
		r.mu.Lock()
		r.closed = true
		for c := range r.conns {
			_ = c.Close()
		}
		r.mu.Unlock()
		r.wait.Wait()
	})
	return r
}

func (r *rawTarget) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		tcp, ok := c.(*net.TCPConn)
		if !ok || !r.add(c) {
			_ = c.Close()
			continue
		}
		r.opened.Add(1)
		r.wait.Go(func() {
			defer r.remove(c)
			r.serve(tcp)
		})
	}
}

func (r *rawTarget) add(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.conns[c] = struct{}{}
	}
	return !r.closed
}

func (r *rawTarget) remove(c net.Conn) {
	_ = c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

func (r *rawTarget) serve(c *net.TCPConn) {
	in := bufio.NewReader(c)
	for first := true; ; first = false {
		if r.idle != nil && !first {
			_ = c.SetReadDeadline(time.Now().Add(r.idle()))
		}
		if _, err := in.Peek(1); err != nil {
			return
		}
		_ = c.SetReadDeadline(time.Time{})
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		x := &asked{Request: req, conn: c, in: in}
		if req.URL.Path == "/up" {
			x.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			continue
		}
		if !r.answer(x) {
			return
		}
	}
}

// dialRaw connects a client that says and reads bytes. Several goroutines of one
// test may.
func dialRaw(ctx context.Context, address string) (*net.TCPConn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// cut closes a connection with a reset.
func cut(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// faults collects what went wrong in goroutines: all are counted, the first few
// are kept.
type faults struct {
	mu    sync.Mutex
	count int     // guarded by mu
	first []error // guarded by mu
}

func (f *faults) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count++; len(f.first) < 10 {
		f.first = append(f.first, err)
	}
}

// merge adds those of other.
func (f *faults) merge(other *faults) {
	other.mu.Lock()
	defer other.mu.Unlock()
	for _, err := range other.first {
		f.add(err)
	}
}

// many reports whether it is pointless to go on.
func (f *faults) many() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count >= 100
}

// expectNone fails the test when there was one.
func (f *faults) expectNone(t testing.TB) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count > 0 {
		t.Errorf("%d failed, the first: %v", f.count, f.first)
	}
}
