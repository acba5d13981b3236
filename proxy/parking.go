package proxy

import "time"

// A client that idles for parkAfter is parked: its goroutine ends, with a stack that
// is as large as everything else about it, and the leave watch starts another one when
// something comes. Where there is no such watch, and where bytes do not come straight
// from a socket, nobody is parked.
const parkAfter = time.Second

// expire ends a client that was parked, unless a request has come at the last moment.
func (c *client) expire() {
	if c.recall() {
		c.run()
		return
	}
	c.close()
}

// lingers reports whether a client that could not be parked may wait on: during a
// shutdown, until it is dismissed.
func (c *client) lingers() bool {
	return c.server.leaving.Load() && c.idleSince.Load() != dismissed
}

// recall makes a client that is to be ended take one more request, and reports false
// when there is none.
func (c *client) recall() bool {
	if c.quiet() && !c.layer.begun() {
		return false
	}
	c.last = true
	c.readBy = time.Time{}
	_ = c.SetReadDeadline(time.Time{})
	return true
}
