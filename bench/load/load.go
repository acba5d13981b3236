package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"upfront/bench/wire"
)

// state is where a connection is in its exchange.
type state uint8

const (
	idle   state = iota
	asking       // for an answer's head
	taking       // its body
	ending       // the answer is whole; the proxy has to end the connection
)

// conn is one connection.
type conn struct {
	token int32
	fd    int // -1: none
	state state
	due   time.Duration // since the load was opened
	out   []byte        // what is still to be written
	in    []byte        // of a head that came in pieces
	left  int           // bytes of the body to come
	next  int           // index of the request

	final   bool // the connection ends after this answer
	watched bool // for room to write
}

// Load is a set of connections. One goroutine may use it.
type Load struct {
	job     Job
	address wire.Address
	poller  *wire.Poller
	conns   []*conn
	opened  time.Time
	buf     []byte

	// What the current run has.
	result Result
	free   queue[*conn] // connections without a request
	pace   *pace        // nil in a closed loop
	until  time.Duration
	inWork int
	err    error
}

// Open makes the connections of a job, and their handshakes.
func Open(job Job) (*Load, error) {
	job.Connections = max(job.Connections, 1)
	address, err := wire.ParseAddress(job.Address)
	if err != nil {
		return nil, err
	}
	poller, err := wire.NewPoller()
	if err != nil {
		return nil, err
	}
	l := &Load{job: job, address: address, poller: poller, opened: time.Now(), buf: make([]byte, 128<<10)}
	for i := range job.Connections {
		c := &conn{token: int32(i), fd: -1, next: i % len(job.Requests)}
		l.conns = append(l.conns, c)
		if job.Fresh {
			continue
		}
		if err := l.connect(c); err != nil {
			l.Close()
			return nil, err
		}
	}
	if job.Handshake != nil {
		if err := l.shakeHands(); err != nil {
			l.Close()
			return nil, fmt.Errorf("handshake: %w", err)
		}
	}
	return l, nil
}

// Close ends all connections.
func (l *Load) Close() {
	for _, c := range l.conns {
		l.disconnect(c)
	}
	l.poller.Close()
}

func (l *Load) connect(c *conn) error {
	fd, err := wire.Connect(l.address)
	if err != nil {
		return err
	}
	c.fd, c.watched, c.in, c.state = fd, false, nil, idle
	return l.poller.Add(fd, c.token)
}

func (l *Load) disconnect(c *conn) {
	if c.fd >= 0 {
		wire.Close(c.fd)
		c.fd, c.out = -1, nil
	}
}

func (l *Load) now() time.Duration { return time.Since(l.opened) }

// shakeHands sends the handshake on every connection.
func (l *Load) shakeHands() error {
	for _, c := range l.conns {
		c.state, c.out = asking, l.job.Handshake
		l.inWork++
		l.flush(c)
	}
	l.until = 0
	for end := l.now() + Grace; l.inWork > 0 && l.err == nil; {
		if l.now() > end {
			return errors.New("not answered")
		}
		l.turn(100 * time.Millisecond)
	}
	return l.err
}

// send sends the next request of c, which was due at a time.
func (l *Load) send(c *conn, due time.Duration) {
	c.due = due
	l.inWork++
	if c.fd < 0 {
		if err := l.connect(c); err != nil {
			l.fail(c, err)
			return
		}
	}
	c.out = l.job.Requests[c.next]
	if l.job.Rotate {
		c.next = (c.next + len(l.conns)) % len(l.job.Requests)
	}
	c.state, c.left, c.final = asking, 0, l.job.Fresh
	if l.job.Handshake != nil {
		c.state, c.left = taking, l.job.EchoSize
	}
	l.flush(c)
}

func (l *Load) flush(c *conn) {
	for len(c.out) > 0 {
		n, err := wire.Write(c.fd, c.out)
		c.out = c.out[n:]
		if errors.Is(err, wire.ErrAgain) {
			l.watch(c, true)
			return
		}
		if err != nil {
			l.fail(c, fmt.Errorf("write: %w", err))
			return
		}
	}
	l.watch(c, false)
}

// watch asks to be told when c can be written, or no longer.
func (l *Load) watch(c *conn, writes bool) {
	if c.watched != writes && l.poller.WatchWrites(c.fd, c.token, writes) == nil {
		c.watched = writes
	}
}

// turn waits once, and serves what is there.
func (l *Load) turn(timeout time.Duration) {
	happened, err := l.poller.Wait(timeout)
	if err != nil {
		l.err = err
		return
	}
	for _, e := range happened {
		c := l.conns[e.Token]
		if e.Writable && c.fd >= 0 {
			l.flush(c)
		}
		if e.Readable && c.fd >= 0 {
			l.read(c)
		}
	}
}

func (l *Load) read(c *conn) {
	if c.state == taking && c.left > len(l.buf)/4 {
		n, err := wire.Discard(c.fd, c.left)
		if err != nil {
			l.ended(c, err)
			return
		}
		l.took(c, n)
		return
	}
	n, err := wire.Read(c.fd, l.buf)
	if err != nil {
		l.ended(c, err)
		return
	}
	in := l.buf[:n]
	switch c.state {
	case asking:
		l.readHead(c, in)
	case taking:
		l.took(c, n)
	case idle, ending:
		l.fail(c, fmt.Errorf("%d bytes that nobody asked for", n))
	}
}

func (l *Load) readHead(c *conn, in []byte) {
	if len(c.in) > 0 {
		c.in = append(c.in, in...)
		in = c.in
	}
	a, err := parseAnswer(in)
	if errors.Is(err, errIncomplete) {
		if len(c.in) == 0 {
			c.in = bytes.Clone(in)
		}
		return
	}
	if err != nil {
		l.fail(c, err)
		return
	}
	c.state, c.left, c.final = taking, a.body, c.final || a.final
	c.in = c.in[:0]
	l.took(c, len(in)-a.size)
}

// took counts bytes of a body.
func (l *Load) took(c *conn, n int) {
	c.left -= n
	if c.left < 0 {
		l.fail(c, fmt.Errorf("%d bytes more than announced", -c.left))
		return
	}
	if c.left > 0 {
		return
	}
	now := l.now()
	l.result.Answered++
	l.result.Latency.Add(now - c.due)
	if c.final {
		c.state = ending // whose turn is over when the proxy has ended it
		return
	}
	l.done(c, now)
}

// ended copes with a connection that gave an error, or nothing.
func (l *Load) ended(c *conn, err error) {
	switch {
	case errors.Is(err, wire.ErrAgain):
	case c.state == ending && err == io.EOF:
		l.disconnect(c)
		l.done(c, l.now())
	case c.state == idle:
		l.disconnect(c) // a kept connection may end at any time
	default:
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		l.fail(c, err)
	}
}

// fail counts the request of c as failed.
func (l *Load) fail(c *conn, err error) {
	l.disconnect(c)
	if l.result.Failure == nil {
		l.result.Failure = err
	}
	if !l.job.Tolerate && l.err == nil {
		l.err = err
	}
	if c.state == idle {
		return
	}
	l.result.Failed++
	l.rest(c)
}

// done gives c its next request, or lets it rest.
func (l *Load) done(c *conn, now time.Duration) {
	if l.pace == nil && now < l.until && l.err == nil {
		l.inWork--
		l.send(c, now)
		return
	}
	l.rest(c)
}

// rest leaves c to the loop of the run, which looks for work for it.
func (l *Load) rest(c *conn) {
	c.state = idle
	l.inWork--
	l.free.push(c)
}
