package proxy

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// targetConn is one connection to a target. One exchange at a time owns it; the
// one thing that others may do is to kill it.
type targetConn struct {
	socket
	transport *transport
	idleSince time.Time // owner: transport
	busy      bool      // guarded by transport.mu
	uses      int       // exchanges before this one; owner: the exchange
	gate      bool      // stands for a wait at a closed gate; set once

	// sent is how many bytes of the request were written or are about to be;
	// written by who sends.
	sent  atomic.Int64
	count func(fd uintptr) // bound once
	wire  syscall.RawConn  // whose system says what was acknowledged; nil where none does
	below *atomic.Int64    // bytes that TLS wrote to wire; nil without TLS
	began int64            // of below, before this exchange; owner: transport
	owed  int              // what count found; owner: the exchange
	far   bool             // what the target sent may be under way for a while; set by dial

	dead atomic.Bool // it was killed

	mu     sync.Mutex
	cancel context.CancelFunc // guarded by mu; set while the connection is dialled, or a wait stands in for it
	tunnel *tunnel            // guarded by mu; set once it carries a tunnel
	cause  error              // guarded by mu; why it was killed, nil if it was not
}

// kill ends what the connection is used for, for a reason that the exchange then
// reports. A tunnel ends politely; all else at once, for a target that hears a goodbye of
// TLS may answer before the connection is closed.
func (c *targetConn) kill(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return
	}
	c.cause = cause
	c.dead.Store(true)
	switch {
	case c.tunnel != nil:
		c.tunnel.end()
	case c.cancel != nil:
		c.cancel()
	case c.Conn != nil:
		c.cutOff()
	}
}

// killed returns why the connection was killed, nil if it was not.
func (c *targetConn) killed() error {
	if !c.dead.Load() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// init takes over the connection that was dialled.
func (c *targetConn) init(conn net.Conn) {
	c.socket.init(conn)
	c.wire, c.below = c.raw, nil
	switch conn := conn.(type) {
	case *net.UnixConn:
		// What the system counts there is memory, until the target has read all of it.
		c.wire = nil
	case interface {
		Wire() (syscall.RawConn, *atomic.Int64)
	}:
		c.wire, c.below = conn.Wire()
	}
	c.mark()
	if c.wire != nil {
		c.count = func(fd uintptr) { c.owed = unacked(fd) }
		_ = c.wire.Control(func(fd uintptr) { c.far = roundTrip(fd) > near })
	}
}

// mark notes that what is written from here on is the next exchange's.
func (c *targetConn) mark() {
	if c.below != nil {
		c.began = c.below.Load()
	}
}

// untouched reports whether the target had no byte of the request yet when it
// sent what was read last, be that bytes or its end: every segment acknowledges
// what its sender has. False where the system does not tell.
func (c *targetConn) untouched() bool {
	if c.wire == nil {
		return false
	}
	c.owed = 0
	_ = c.wire.Control(c.count) // a closed connection owes nothing
	sent := c.sent.Load()       // last: it may only have grown meanwhile
	if c.below != nil && sent > 0 {
		sent = c.below.Load() - c.began
	}
	return sent > 0 && int64(c.owed) >= sent
}

// early reports whether what was read first came before the target had a byte of
// the request. For a kept connection the system is asked only where that can be:
// what a near target had sent before is there once our write returns, and is read
// without a wait.
func (c *targetConn) early() bool {
	return (c.uses == 0 || c.far || !c.waited) && c.untouched()
}

// connect dials, and gives up when the connection is killed.
func (c *targetConn) connect() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.guard(cancel)
	err := c.transport.dial(ctx, c)
	if cause := c.unguard(); cause != nil {
		return cause
	}
	return err
}

// guard makes kill call cancel.
func (c *targetConn) guard(cancel context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = cancel
	if c.cause != nil {
		cancel()
	}
}

// unguard ends guard and returns why the connection was killed meanwhile.
func (c *targetConn) unguard() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = nil
	return c.cause
}

// carry hands the connection to a tunnel. It reports false when the connection
// was killed before.
func (c *targetConn) carry(t *tunnel) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tunnel = t
	return c.cause == nil
}
