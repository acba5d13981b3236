package dial

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The bounds of the connections to an HTTP/2 target.
const (
	// mostStreams is how many exchanges share a connection at most, whatever the
	// target allows: one goroutine reads all of them.
	mostStreams = 100
	// streamWindow is how much of an answer a target may send ahead of its client.
	streamWindow = 256 << 10
	// sharedIdle is how long a connection without an exchange is kept. A target that
	// closes it sooner says which requests it has not seen.
	sharedIdle = 30 * time.Second
	// stuckAfter is how long a target may take nothing of what is written.
	stuckAfter  = 30 * time.Second
	mostHead    = 256 << 10
	mostInterim = 64
)

// multiplexer is the connections to one HTTP/2 target.
type multiplexer struct {
	dialer    *Dialer
	transport *http.Transport // makes connections of what it is given, and keeps none

	// dialing is taken by who makes a connection: those who wait for the same would
	// else make one each.
	dialing chan struct{}

	mu     sync.Mutex
	conns  []*shared // guarded by mu
	closed bool      // guarded by mu
}

// shared is one connection with its streams.
type shared struct {
	*http.ClientConn
	conn    *greeting
	streams int // at once
}

func newMultiplexer(d *Dialer) *multiplexer {
	m := &multiplexer{dialer: d, dialing: make(chan struct{}, 1)}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true) // TLS, where there is any, is below
	m.transport = &http.Transport{
		Protocols:              protocols,
		DisableCompression:     true,
		MaxResponseHeaderBytes: mostHead,
		IdleConnTimeout:        sharedIdle,
		HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: streamWindow, WriteByteTimeout: stuckAfter},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, ok := ctx.Value(connKey{}).(net.Conn)
			if !ok {
				return nil, net.ErrClosed
			}
			return conn, nil
		},
	}
	return m
}

// connKey is under which the transport finds the connection to use.
type connKey struct{}

// open returns a connection for one exchange that shares its way with others.
func (m *multiplexer) open(ctx context.Context) (net.Conn, error) {
	s, err := m.reserve(ctx)
	if err != nil {
		return nil, err
	}
	return m.begin(s, nil), nil
}

// openAlone returns one that has its way to itself.
func (m *multiplexer) openAlone(ctx context.Context, address string, by net.Dialer) (net.Conn, error) {
	s, err := m.connect(ctx, address, by)
	if err != nil {
		return nil, err
	}
	if err := s.Reserve(); err != nil {
		_ = s.Close()
		return nil, &Error{text: "it takes no request on a new connection", err: err}
	}
	return m.begin(s, func() { _ = s.Close() }), nil
}

// reserve returns a connection on which one stream may be opened.
func (m *multiplexer) reserve(ctx context.Context) (*shared, error) {
	if s := m.vacant(); s != nil {
		return s, nil
	}
	select {
	case m.dialing <- struct{}{}:
		defer func() { <-m.dialing }()
	case <-ctx.Done():
		return nil, &Error{text: "connect timed out", err: ctx.Err()}
	}
	if s := m.vacant(); s != nil { // somebody was faster
		return s, nil
	}
	s, err := m.connect(ctx, m.dialer.options.Address, net.Dialer{KeepAliveConfig: stillThere})
	if err != nil {
		return nil, err
	}
	if err := s.Reserve(); err != nil {
		_ = s.Close()
		return nil, &Error{text: "it takes no request on a new connection", err: err}
	}
	m.keep(s)
	return s, nil
}

// vacant returns a connection that has room, with a stream reserved, or nil.
func (m *multiplexer) vacant() *shared {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = slices.DeleteFunc(m.conns, func(s *shared) bool { return s.Err() != nil })
	for _, s := range m.conns {
		if s.InFlight() < s.streams && s.Reserve() == nil {
			return s
		}
	}
	return nil
}

// keep makes a connection one that others find.
func (m *multiplexer) keep(s *shared) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(m.conns, s)
	if m.closed {
		s.closeWhenIdle()
	}
}

// connect makes a connection, and waits for what the target says first.
func (m *multiplexer) connect(ctx context.Context, address string, by net.Dialer) (*shared, error) {
	conn, err := m.dialer.connect(ctx, address, by)
	if err != nil {
		return nil, err
	}
	noticeDeath(conn)
	s := &shared{conn: greet(conn), streams: mostStreams}
	// The address is not looked at.
	if s.ClientConn, err = m.transport.NewClientConn(context.WithValue(ctx, connKey{}, s.conn), "http", "target:80"); err != nil {
		_ = conn.Close()
		return nil, err
	}
	select {
	case <-s.conn.said:
	case <-ctx.Done():
		_ = s.Close()
		return nil, &Error{text: "no HTTP/2 frame came in time", err: ctx.Err()}
	}
	if s.conn.err != nil {
		_ = s.Close()
		return nil, s.conn.err
	}
	if s.conn.streams != 0 {
		s.streams = min(s.streams, s.conn.streams)
	}
	return s, nil
}

// close closes the connections, each as soon as it has no exchange.
func (m *multiplexer) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, s := range m.conns {
		s.closeWhenIdle()
	}
}

// closeWhenIdle closes s now, or once its last stream has ended.
func (s *shared) closeWhenIdle() {
	idle := func(cc *http.ClientConn) {
		if cc.InFlight() == 0 && cc.Err() == nil {
			_ = cc.Close()
		}
	}
	s.SetStateHook(idle)
	idle(s.ClientConn)
}
