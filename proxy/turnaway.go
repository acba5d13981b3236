package proxy

import "time"

// turnAwayTime is how long a connection that is one too many of its address may
// take to ask, and then to read that it is.
const turnAwayTime = time.Second

// hasty is the settings of an exchange that must not take long.
var hasty = Settings{BodyTimeout: turnAwayTime}.withDefaults()

// turnAway answers what c asks first with 429, and costs little: no target, no
// wait for a whole head or for a body, and a deadline on everything.
func (c *client) turnAway() {
	s := c.server
	s.counters.TurnedAway.Add(1)
	if s.turnedAway() > maxTurnedAway {
		return
	}
	c.armRead(time.Now(), turnAwayTime)
	if c.read == c.have { // nothing came with the PROXY header
		n, err := c.readLazy(c.getSpace, c.putSpace)
		if err != nil {
			return
		}
		c.have = n
	}
	c.x.begin(c)
	c.x.settings = hasty
	c.req.Reset()
	// Only for the form of the page: what it is does not matter.
	_, _ = c.req.Scan(c.in[:c.have], hasty.headLimits())
	c.x.close = true
	c.x.err = &Error{Op: "accept", Source: FromClient, Status: 429, Err: errTooManyConnections}
	c.x.id.make()
	c.x.respond(c.x.err)
	c.x.record()
	c.linger(turnAwayTime)
}

// turnedAway is how many connections are being turned away.
func (s *Server) turnedAway() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seats.extra
}
