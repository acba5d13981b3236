package proxy

import (
	"context"
	"sync"
	"sync/atomic"
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

	dead atomic.Bool // it was killed

	mu     sync.Mutex
	cancel context.CancelFunc // guarded by mu; set while the connection is dialled, or a wait stands in for it
	tunnel *tunnel            // guarded by mu; set once it carries a tunnel
	cause  error              // guarded by mu; why it was killed, nil if it was not
}

// kill ends what the connection is used for, for a reason that the exchange then
// reports. A tunnel ends politely.
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
		_ = c.Close()
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
