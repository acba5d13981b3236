package proxy

import (
	"net"
	"time"
)

// sender writes to one socket at a time. It is part of a workspace, so that an idle
// connection does not pay for it; who holds the workspace may use it.
type sender struct {
	head, body []byte // that are still to be written
	wrote      int
	failed     error
	s          *socket
	patience   time.Duration         // of a wait
	all, once  func(fd uintptr) bool // bound once
}

// joinBelow is the size up to which two pieces are copied together rather than
// handed to the kernel as two.
const joinBelow = 8 << 10

// send writes head and body in one system call, if the connection takes them, and
// returns how many bytes went out. It gives up when nothing is taken for patience, never
// if that is negative. head's storage may grow.
func (w *sender) send(s *socket, head *[]byte, body []byte, patience time.Duration) (int, error) {
	// Most connections take what they are given, and never need a deadline.
	if s.raw == nil || s.layer != nil || !s.writeBy.IsZero() {
		s.armWrite(time.Now(), patience)
	}
	if len(body) <= joinBelow {
		*head = append(*head, body...)
		body = nil
	}
	switch {
	case s.layer != nil:
		return s.layer.send(*head, body)
	case s.raw != nil:
		w.s, w.patience = s, patience
		return w.write(s, *head, body, true)
	case len(body) == 0:
		return s.Write(*head)
	}
	pieces := net.Buffers{*head, body}
	n, err := pieces.WriteTo(s.Conn)
	return int(n), err
}

// sendNow writes head and body as far as that needs no waiting, and returns how many
// bytes went out. The connection must be the system's.
func (w *sender) sendNow(s *socket, head, body []byte) (int, error) {
	return w.write(s, head, body, false)
}

func (w *sender) write(s *socket, head, body []byte, wait bool) (int, error) {
	if w.all == nil {
		w.all, w.once = w.tryAll, w.tryOnce
	}
	w.head, w.body, w.wrote, w.failed = head, body, 0, nil
	try := w.once
	if wait {
		try = w.all
	}
	err := s.writeRaw(try, try)
	w.s, w.head, w.body = nil, nil, nil
	if err == nil {
		err = w.failed
	}
	return w.wrote, err
}

// tryAll writes until nothing is left; false makes the runtime's poller wait until
// the connection takes more, and call it again.
func (w *sender) tryAll(fd uintptr) bool {
	for len(w.head)+len(w.body) > 0 {
		n := w.try(fd)
		if w.failed != nil {
			return true
		}
		if n == 0 {
			if w.s.writeBy.IsZero() {
				w.s.armWrite(time.Now(), w.patience)
			}
			return false
		}
	}
	return true
}

// tryOnce never asks the runtime to wait.
func (w *sender) tryOnce(fd uintptr) bool {
	w.try(fd)
	return true
}

func (w *sender) try(fd uintptr) int {
	n, err := tryWrite(fd, w.head, w.body)
	w.failed = err
	w.wrote += n
	ofHead := min(n, len(w.head))
	w.head, w.body = w.head[ofHead:], w.body[n-ofHead:]
	return n
}
