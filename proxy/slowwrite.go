package proxy

import (
	"net"
	"time"
)

// slowWrite is the patience of one write with a peer that takes what it is sent slowly. The
// system wakes a writer only when much of its buffer is free, which may take a slow peer
// longer than it may take nothing: so the deadline of a write falls several times within
// that time, and each time the system is asked how far the peer has come.
type slowWrite struct {
	taken uint64    // when the deadline passed last
	since time.Time // the peer has taken nothing; zero before a deadline passed
}

// glances is how often a write that waits looks at what the peer takes, within the time
// in which it must take something.
const glances = 8

// step is how long a write waits before it looks at what the peer takes: for all of its
// time where that cannot be seen.
func (s *socket) step(d time.Duration) time.Duration {
	if s.raw == nil || d < glances {
		return d
	}
	return d / glances
}

// bears reports whether a write to s that failed is to go on, and gives it a new deadline
// then. moved says that it wrote something.
func (p *slowWrite) bears(s *socket, failed error, moved bool) bool {
	d := time.Duration(s.patience.Load())
	if !timedOut(failed) || d <= 0 || s.endBy.Load() != 0 {
		return false
	}
	now, taken := time.Now(), p.taken
	if s.raw != nil {
		taken = s.taken()
		moved = moved || p.since.IsZero() || taken != p.taken
	}
	if moved {
		p.taken, p.since = taken, now
		if s.took != nil {
			s.took()
		}
	}
	left := d - now.Sub(p.since)
	if left <= 0 {
		return false
	}
	s.setWriteDeadline(now.Add(min(left, s.step(d))))
	return true
}

// taken is a number that changes when the peer takes something of what it was sent.
func (s *socket) taken() (n uint64) {
	_ = s.raw.Control(func(fd uintptr) { n = taken(fd) })
	return n
}

// writeTo writes b to conn, which is s or below it.
func (s *socket) writeTo(conn net.Conn, b []byte) (wrote int, err error) {
	var p slowWrite
	for {
		n, err := conn.Write(b[wrote:])
		wrote += n
		if err == nil || !p.bears(s, err, n > 0) {
			return wrote, err
		}
	}
}

// writeRaw is raw.Write with try, which becomes again once a deadline has passed.
func (s *socket) writeRaw(try, again func(fd uintptr) bool) error {
	var p slowWrite
	for {
		err := s.raw.Write(try)
		if err == nil || !p.bears(s, err, false) {
			return err
		}
		try = again
	}
}
