package proxy

import (
	"context"
	"net/http"
	"sync"
	"time"

	"upfront/proxy/http1"
)

// stream is one request of a client that speaks HTTP/2 or 3: a client of its own to
// the exchange, on a connection that is not there.
type stream struct {
	client
	conn streamConn
}

var streams = sync.Pool{New: func() any { return new(stream) }}

// newStream returns a stream for a request of a client that is connected.
func newStream(from *client, w http.ResponseWriter, r *http.Request) *stream {
	s := streams.Get().(*stream)
	s.conn.reset(r, w, from.RemoteAddr())
	s.socket.init(&s.conn)
	s.inherit(from)
	return s
}

// inherit makes c a client of the same connection as from.
func (c *client) inherit(from *client) {
	c.server, c.connInfo, c.version, c.shares = from.server, from.connInfo, from.version, from.shares
	c.readBy, c.writeBy, c.last = time.Time{}, time.Time{}, false
	c.left.Store(false)
	c.idleSince.Store(0)
	c.waits.take()
	if c.getSpace == nil {
		c.getSpace, c.putSpace = c.space, c.giveBack
	}
}

// group is the streams of one connection, for those who have to end them.
type group struct {
	mu      sync.Mutex
	streams map[*stream]struct{} // guarded by mu
	closed  bool                 // guarded by mu
	running sync.WaitGroup       // handlers, and exchanges that outlive the call of theirs
	settle  func()               // called when one of those is over; set once
}

// open lets a handler in, unless the group is closed. The handler calls running.Done.
func (g *group) open() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.running.Add(1)
	}
	return !g.closed
}

// close lets no more handlers in and waits for those that are there.
func (g *group) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.running.Wait()
}

func (g *group) enter(s *stream) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.streams == nil {
		g.streams = make(map[*stream]struct{})
	}
	g.streams[s] = struct{}{}
}

func (g *group) leave(s *stream) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.streams, s)
}

// idle reports whether there is no stream.
func (g *group) idle() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.streams) == 0
}

func (g *group) each(do func(*client)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for s := range g.streams {
		do(&s.client)
	}
}

// serve carries a request as its handler. It returns once the answer is complete,
// and has the stream reset when there is none that is.
//
// A body that may still be coming has the exchange run beside the handler: an answer
// that is complete before the request is ends the stream at once, while the exchange
// still sees to the target.
func (g *group) serve(s *stream) {
	if s.conn.framing == noBody {
		if !g.carry(s) {
			panic(http.ErrAbortHandler)
		}
		return
	}
	answered := make(chan bool, 1)
	g.running.Go(func() { g.carryFor(s, answered) })
	if !<-answered {
		panic(http.ErrAbortHandler)
	}
}

func (g *group) carryFor(s *stream, answered chan<- bool) {
	stop := context.AfterFunc(s.conn.r.Context(), s.leave)
	stopped := false
	s.conn.settled = func(ok bool) {
		stopped = stop() // the handler's return must not look like a client that leaves
		answered <- ok
	}
	g.enter(s)
	s.run()
	s.conn.settle(false)
	g.leave(s)
	g.settle()
	s.giveBack(stopped)
}

// carry runs the exchange, and reports whether the client has a complete answer.
func (g *group) carry(s *stream) bool {
	stop := context.AfterFunc(s.conn.r.Context(), s.leave)
	g.enter(s)
	s.run()
	ok := s.conn.answer.done
	g.leave(s)
	s.giveBack(stop())
	return ok
}

// giveBack has the stream used for another request, unless its leave is under way.
func (s *stream) giveBack(stopped bool) {
	s.conn.forget()
	if stopped {
		streams.Put(s)
	}
}

// run has the exchange serve the request.
func (s *stream) run() {
	c := &s.client
	defer c.survive()
	c.space()
	head, bad := appendStream(c.in[:0], s.conn.r, s.conn.framing)
	if bad == nil {
		c.in, c.have = head[:cap(head)], len(head)
		if c.awaitHead() {
			c.x.serve()
		}
	} else {
		s.refuse(bad)
	}
	if c.workspace != nil {
		c.read = c.have
		c.giveBack()
	}
}

// refuse answers what cannot be written as an HTTP/1.1 message.
func (s *stream) refuse(bad *http1.Error) {
	s.x.begin(&s.client)
	s.req.Reset()
	s.x.refuse(bad)
}
