package proxy

import "net"

// softConn is a connection that is not the system's own, such as one in memory or over
// TLS, and that can do what a socket needs of a descriptor.
type softConn interface {
	net.Conn
	// ReadNow reads what has arrived; wait says that nothing has.
	ReadNow(b []byte) (n int, wait bool, err error)
	// Await waits until ReadNow is worth another try, or the read deadline passes.
	Await() error
	// Peek reports whether a read would have to wait, or would find the end of the
	// stream or an error.
	Peek() (silent, ended bool)
}

// readSoft is readLazy on a softConn.
func (s *socket) readSoft(get func() []byte, drop func()) (int, error) {
	s.waited = false
	for {
		n, wait, err := s.soft.ReadNow(get())
		if n > 0 {
			return n, nil
		}
		drop()
		if !wait {
			return noProgress(0, err)
		}
		s.waited = true
		if err := s.soft.Await(); err != nil {
			return 0, err
		}
	}
}
