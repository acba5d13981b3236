package testtarget

import (
	"net"
	"sync"
)

// conns are the open connections of a target.
type conns struct {
	mu     sync.Mutex
	all    map[net.Conn]int // guarded by mu; how many goroutines hold it
	closed bool             // guarded by mu; set between Kill and Listen
	killed chan struct{}    // guarded by mu; closed by Kill, made by Listen
}

func (c *conns) open() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed, c.killed = false, make(chan struct{})
	if c.all == nil {
		c.all = make(map[net.Conn]int)
	}
}

// ended is closed when the connections of today are.
func (c *conns) ended() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.killed
}

// add holds conn, or closes it and returns false when the target was killed
// meanwhile. Every add that returned true is undone by one remove.
func (c *conns) add(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = conn.Close()
		return false
	}
	c.all[conn]++
	return true
}

// remove closes conn when nobody holds it any longer: a hijacked connection is
// held by its new owner too.
func (c *conns) remove(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all[conn]--; c.all[conn] == 0 {
		delete(c.all, conn)
		_ = conn.Close()
	}
}

func (c *conns) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && c.killed != nil {
		close(c.killed)
	}
	c.closed = true
	for conn := range c.all {
		_ = conn.Close()
	}
}

func (c *conns) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}

// reset closes conn so that the peer sees a TCP reset.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
