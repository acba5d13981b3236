package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
)

// Secure is a TLS connection that can be read without waiting. One goroutine at a
// time reads it.
type Secure struct {
	*tls.Conn
	wire *wire
	seen [1]byte // what Peek found
	has  bool    // there is something in seen
}

// handshake speaks TLS over conn, which it closes when that fails.
func (d *Dialer) handshake(ctx context.Context, conn net.Conn) (net.Conn, error) {
	config, err := d.credentials.get()
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	w := newWire(conn)
	s := &Secure{Conn: tls.Client(w, config), wire: w}
	if err := s.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, d.explain(ctx, err)
	}
	if agreed := s.ConnectionState().NegotiatedProtocol; d.options.HTTP2 && agreed != "h2" {
		_ = conn.Close()
		return nil, &Error{text: "it does not offer HTTP/2 over TLS: write the target as https://"}
	}
	if w.raw == nil {
		return s.Conn, nil
	}
	return s, nil
}

// Read reads, and waits for something to read.
func (s *Secure) Read(p []byte) (int, error) {
	if n := s.takeSeen(p); n > 0 {
		return n, nil
	}
	return s.Conn.Read(p)
}

// ReadNow reads what has arrived; wait says that nothing has.
func (s *Secure) ReadNow(p []byte) (n int, wait bool, err error) {
	if n := s.takeSeen(p); n > 0 {
		return n, false, nil
	}
	s.wire.now = true
	n, err = s.Conn.Read(p)
	s.wire.now = false
	switch {
	case n > 0:
		return n, false, nil // an error comes again
	case errors.Is(err, errNotNow):
		return 0, true, nil
	}
	return 0, false, err
}

func (s *Secure) takeSeen(p []byte) int {
	if !s.has || len(p) == 0 {
		return 0
	}
	s.has = false
	return copy(p, s.seen[:])
}

// Await waits until ReadNow is worth another try, which it need not be: what arrived
// may be no data. It ends at the read deadline.
func (s *Secure) Await() error { return s.wire.await() }

// Peek reports whether a read would have to wait, or would find the end or an error.
// What only TLS itself has to say, such as new session tickets, is taken in.
func (s *Secure) Peek() (silent, ended bool) {
	if s.has {
		return false, false
	}
	n, wait, err := s.ReadNow(s.seen[:])
	s.has = n > 0
	return wait, err != nil
}

// Close says goodbye as far as that needs no waiting, and closes.
func (s *Secure) Close() error {
	s.wire.leaving.Store(true)
	return s.Conn.Close()
}

// Wire is the connection below TLS, and how many bytes were written to it.
func (s *Secure) Wire() (raw syscall.RawConn, wrote *atomic.Int64) { return s.wire.raw, &s.wire.wrote }
