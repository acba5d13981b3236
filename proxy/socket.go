package proxy

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// socket is one connection, of a client or to a target, with what net.Conn
// lacks: reads that hold no buffer while they wait, a look at what has arrived
// without taking it, and deadlines that are cheap to refresh.
type socket struct {
	net.Conn
	raw   syscall.RawConn // nil when the connection is not the system's
	layer *tlsLayer       // nil unless Conn speaks TLS; raw is below it
	soft  softConn        // nil when it is the system's, or cannot be looked at

	readBy  time.Time // what the read deadline is set to, zero for none; owner: who reads
	writeBy time.Time // what armWrite set the write deadline to, zero for none; owner: who writes

	patience atomic.Int64 // nanoseconds in which the peer must take something; 0 before armWrite, negative for ever
	endBy    atomic.Int64 // Unix nanoseconds; when writes end whatever the peer takes, 0 for never
	took     func()       // called when the peer is seen to take something, if set; set before it is written to

	look   func(fd uintptr) bool // tryRead, bound once so that it costs no allocation
	get    func() []byte         // owner: who reads, for the time of one readLazy
	drop   func()
	got    int
	erred  error
	waited bool             // the last readLazy found nothing at first
	peek   func(fd uintptr) // bound once
	silent bool
	over   bool
}

func (s *socket) init(conn net.Conn) {
	s.Conn = conn
	s.initRaw(conn)
}

// initTLS is init for a connection that speaks TLS.
func (s *socket) initTLS(layer *tlsLayer) {
	s.Conn, s.layer = layer.tls, layer
	layer.above = s
	s.initRaw(layer.Conn)
}

func (s *socket) initRaw(conn net.Conn) {
	s.soft, _ = conn.(softConn)
	if sc, ok := conn.(syscall.Conn); ok && canTryIO {
		if raw, err := sc.SyscallConn(); err == nil {
			s.raw = raw
			s.look, s.peek = s.tryRead, func(fd uintptr) { s.silent, s.over = peekAt(fd) }
		}
	}
}

// readLazy reads once into the buffer that get returns. It asks for the buffer
// only when it is about to read, and gives it back with drop while there is
// nothing to read: an idle connection costs no buffer.
func (s *socket) readLazy(get func() []byte, drop func()) (int, error) {
	if s.soft != nil {
		return s.readSoft(get, drop)
	}
	if s.raw == nil {
		return noProgress(s.Read(get()))
	}
	s.get, s.drop, s.got, s.erred, s.waited = get, drop, 0, nil, false
	if err := s.raw.Read(s.look); err != nil {
		return 0, err
	}
	if s.erred != nil {
		return 0, s.erred
	}
	if s.got == 0 {
		return 0, io.EOF
	}
	return s.got, nil
}

// tryRead reads without waiting; false makes the runtime's poller wait and call
// it again.
func (s *socket) tryRead(fd uintptr) bool {
	var n int
	var wait bool
	var err error
	if s.layer == nil {
		n, wait, err = tryRead(fd, s.get())
	} else {
		n, wait, err = s.layer.tryRead(fd, s.get())
	}
	if n <= 0 { // an end needs no buffer either: many may come at once
		s.drop()
	}
	if wait {
		s.waited = true
		return false
	}
	s.got, s.erred = max(n, 0), err
	return true
}

// Write sends b, with the patience of armWrite.
func (s *socket) Write(b []byte) (int, error) {
	if s.layer != nil {
		return s.layer.send(b, nil)
	}
	return s.writeTo(s.Conn, b)
}

func (s *socket) belowTLS() net.Conn {
	if s.layer != nil {
		return s.layer.Conn
	}
	return s.Conn
}

// system is the system's connection, below TLS and all else.
func (s *socket) system() net.Conn {
	conn := s.belowTLS()
	for {
		above, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = above.NetConn()
	}
}

func noProgress(n int, err error) (int, error) {
	if n > 0 {
		return n, nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return 0, err
}

// slack is how much later than asked a deadline may fall, so that it is set
// about once a second instead of at every read and write.
func slack(d time.Duration) time.Duration { return min(d/8, time.Second) }

// armRead makes reads fail between d and d+slack(d) from now, never if d is
// negative.
func (s *socket) armRead(now time.Time, d time.Duration) {
	if by, set := rearm(s.readBy, now, d); set {
		s.readBy = by
		_ = s.SetReadDeadline(by) // a closed connection says so at the read
	}
}

// armWrite makes a write fail when the peer takes nothing of it for d, which is seen
// up to a step and its slack late; never if d is negative.
func (s *socket) armWrite(now time.Time, d time.Duration) {
	if s.patience.Load() != int64(d) {
		s.patience.Store(int64(d))
	}
	if by, set := rearm(s.writeBy, now, s.step(d)); set {
		s.writeBy = by
		s.setWriteDeadline(by)
	}
}

// SetWriteDeadline makes writes fail at t whatever the peer takes, those that are under
// way too; the zero time takes that back.
func (s *socket) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		s.endBy.Store(0)
	} else {
		s.endBy.Store(t.UnixNano())
	}
	return s.belowTLS().SetWriteDeadline(t)
}

// setWriteDeadline sets the deadline of a write, unless writes are to end.
func (s *socket) setWriteDeadline(t time.Time) {
	conn := s.belowTLS()
	_ = conn.SetWriteDeadline(t) // a closed connection says so at the write
	if by := s.endBy.Load(); by != 0 {
		_ = conn.SetWriteDeadline(time.Unix(0, by))
	}
}

func rearm(by, now time.Time, d time.Duration) (time.Time, bool) {
	if d < 0 {
		return time.Time{}, !by.IsZero()
	}
	over := by.Sub(now) - d
	if !by.IsZero() && over >= 0 && over <= slack(d) {
		return by, false
	}
	return now.Add(d + slack(d)), true
}

// quiet reports whether nothing has arrived on a connection that should be
// silent: no byte, no end.
func (s *socket) quiet() bool {
	if s.soft != nil {
		silent, _ := s.soft.Peek()
		return silent
	}
	if s.raw == nil {
		return true
	}
	s.silent = false
	err := s.raw.Control(s.peek)
	return err == nil && s.silent
}

// ended reports whether the peer's end, or an error, is the next thing to read.
func (s *socket) ended() bool {
	if s.soft != nil {
		_, over := s.soft.Peek()
		return over
	}
	if s.raw == nil {
		return false
	}
	s.over = false
	err := s.raw.Control(s.peek)
	return err != nil || s.over
}

// closeWrite tells the peer that no more will come, where the connection can.
func (s *socket) closeWrite() {
	if s.layer != nil {
		s.layer.closeWrite()
		return
	}
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// reset closes the connection so that the peer cannot take it for a clean end: with
// no close_notify where there is TLS.
func (s *socket) reset() {
	if tcp, ok := s.system().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	s.cutOff()
}

// cutOff closes the connection at once, and does not say goodbye to TLS.
func (s *socket) cutOff() { _ = s.system().Close() }

// stillThere is how the system asks a silent peer whether it is there.
var stillThere = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// noticeDeath has a connection end about a minute after the peer's machine is gone,
// be it silent or talked to. A peer that takes nothing has patience of time at least;
// a negative one is for ever.
func (s *socket) noticeDeath(patience time.Duration) {
	tcp, ok := s.system().(*net.TCPConn)
	if !ok {
		return
	}
	_ = tcp.SetKeepAliveConfig(stillThere)
	if raw, err := tcp.SyscallConn(); err == nil && patience >= 0 {
		_ = raw.Control(func(fd uintptr) { setUserTimeout(fd, max(patience, time.Minute)) })
	}
}
