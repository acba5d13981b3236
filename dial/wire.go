package dial

import (
	"net"
	"sync/atomic"
	"syscall"
)

// wire is the connection below TLS. It can be told not to wait, and counts what is
// written to it.
type wire struct {
	net.Conn
	raw     syscall.RawConn // nil when the connection is not the system's
	now     bool            // reads do not wait; owner: who reads
	leaving atomic.Bool     // writes do not wait: the connection is about to be closed
	wrote   atomic.Int64    // or is about to be: the system has a part of what a write waits with

	to   []byte // of one read; owner: who reads
	got  int
	wait bool
	err  error
	read func(fd uintptr)      // bound once
	look func(fd uintptr) bool // bound once
}

// errNotNow is what a read gets that must not wait. TLS takes it for a timeout, after
// which the connection can be used as before.
var errNotNow net.Error = notNowError{}

type notNowError struct{}

func (notNowError) Error() string   { return "nothing to read" }
func (notNowError) Timeout() bool   { return true }
func (notNowError) Temporary() bool { return true }

func newWire(conn net.Conn) *wire {
	w := &wire{Conn: conn}
	if sc, ok := conn.(syscall.Conn); ok && canReadNow {
		w.raw, _ = sc.SyscallConn()
	}
	w.read = func(fd uintptr) { w.got, w.wait, w.err = readNow(fd, w.to) }
	w.look = arrived
	return w
}

func (w *wire) Read(p []byte) (int, error) {
	if !w.now {
		return w.Conn.Read(p)
	}
	w.to, w.got = p, 0
	err := w.raw.Control(w.read)
	w.to = nil
	switch {
	case err != nil:
		return 0, err
	case w.wait:
		return 0, errNotNow
	}
	return w.got, w.err
}

// await waits until there is something to read.
func (w *wire) await() error { return w.raw.Read(w.look) }

func (w *wire) Write(p []byte) (int, error) {
	if w.leaving.Load() && w.raw != nil {
		_ = w.raw.Control(func(fd uintptr) { writeNow(fd, p) })
		return len(p), nil
	}
	w.wrote.Add(int64(len(p)))
	return w.Conn.Write(p)
}

// NetConn is the system's connection.
func (w *wire) NetConn() net.Conn { return w.Conn }
