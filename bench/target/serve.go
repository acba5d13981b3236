package target

import (
	"bytes"
	"errors"
	"runtime"
	"strconv"
	"time"

	"upfront/bench/wire"
)

// Interval is the time between two events of a stream.
const Interval = 50 * time.Millisecond

// kind is what a connection has become.
type kind uint8

const (
	plain kind = iota
	echo
	events
)

// conn is one connection. The loop owns it.
type conn struct {
	fd   int
	kind kind
	in   []byte // of a head or a frame that came in pieces
	skip int    // bytes of a request's body that are still to come
	out  []byte // what is still to be written
	file int    // bytes of the megabyte that follow out

	watched bool // for room to write
}

// loop is the whole target. One goroutine runs it.
type loop struct {
	poller   *wire.Poller
	listener int
	conns    []*conn // by descriptor
	answers  *answers
	buf      []byte
	streams  map[*conn]bool
	due      time.Time // the next event
	served   int       // requests
}

const listenerToken = -1

// Serve answers the connections of a listener of package wire until something breaks.
func Serve(listener int) error {
	runtime.LockOSThread()
	poller, err := wire.NewPoller()
	if err != nil {
		return err
	}
	defer poller.Close()
	if err := poller.Add(listener, listenerToken); err != nil {
		return err
	}
	made, err := newAnswers()
	if err != nil {
		return err
	}
	l := &loop{poller: poller, listener: listener, answers: made, buf: make([]byte, 256<<10), streams: map[*conn]bool{}}
	for {
		if err := l.turn(); err != nil {
			return err
		}
	}
}

// turn waits once and serves what is there.
func (l *loop) turn() error {
	timeout := time.Duration(-1)
	if len(l.streams) > 0 {
		timeout = max(time.Until(l.due), 0)
	}
	happened, err := l.poller.Wait(timeout)
	if err != nil {
		return err
	}
	l.answers.refresh(time.Now())
	for _, e := range happened {
		if e.Token == listenerToken {
			if err := l.accept(); err != nil {
				return err
			}
			continue
		}
		c := l.conns[e.Token]
		if c != nil && e.Writable {
			l.flush(c)
		}
		if c = l.conns[e.Token]; c != nil && e.Readable {
			l.read(c)
		}
	}
	l.tick()
	return nil
}

func (l *loop) accept() error {
	for {
		fd, err := wire.Accept(l.listener)
		if errors.Is(err, wire.ErrAgain) {
			return nil
		}
		if err != nil {
			return err
		}
		for fd >= len(l.conns) {
			l.conns = append(l.conns, make([]*conn, max(fd, 256))...)
		}
		l.conns[fd] = &conn{fd: fd}
		if err := l.poller.Add(fd, int32(fd)); err != nil {
			return err
		}
	}
}

func (l *loop) read(c *conn) {
	if c.skip > len(l.buf) {
		// Less than all: what ends a body is read, and answered.
		n, err := wire.Discard(c.fd, c.skip-1)
		if err != nil {
			l.endUnless(c, err)
			return
		}
		c.skip -= n
		return
	}
	n, err := wire.Read(c.fd, l.buf)
	if err != nil {
		l.endUnless(c, err)
		return
	}
	in := l.buf[:n]
	if len(c.in) > 0 {
		in = append(c.in, in...)
		c.in = nil
	}
	rest := l.take(c, in)
	if len(rest) > 0 {
		c.in = bytes.Clone(rest)
	}
}

func (l *loop) endUnless(c *conn, err error) {
	if !errors.Is(err, wire.ErrAgain) {
		l.end(c)
	}
}

func (l *loop) end(c *conn) {
	delete(l.streams, c)
	l.conns[c.fd] = nil
	wire.Close(c.fd)
}

// take serves what in asks for, and returns what is not yet whole.
func (l *loop) take(c *conn, in []byte) []byte {
	for len(in) > 0 && l.conns[c.fd] == c {
		if c.skip > 0 {
			n := min(c.skip, len(in))
			c.skip -= n
			in = in[n:]
			if c.skip == 0 {
				l.write(c, l.answers.small)
			}
			continue
		}
		switch c.kind {
		case echo:
			frames, taken := echoFrames(in)
			if taken == 0 {
				return in
			}
			l.write(c, frames)
			in = in[taken:]
		case events:
			return nil
		case plain:
			r, err := parseRequest(in)
			if errors.Is(err, errIncomplete) {
				return in
			}
			if err != nil {
				l.end(c)
				return nil
			}
			in = in[r.size:]
			l.answer(c, r)
		}
	}
	return nil
}

func (l *loop) answer(c *conn, r request) {
	l.served++
	switch {
	case r.body > 0:
		c.skip = r.body
	case r.path == path20K:
		l.write(c, l.answers.k20)
	case r.path == path1M:
		c.file = Body1M
		l.write(c, l.answers.head1M)
	case r.path == pathEcho:
		c.kind = echo
		l.write(c, switching(r.key))
	case r.path == pathEvents:
		c.kind = events
		if len(l.streams) == 0 {
			l.due = time.Now().Add(Interval)
		}
		l.streams[c] = true
		l.write(c, []byte(eventsHead))
	case r.path == pathServed:
		count := strconv.Itoa(l.served)
		l.write(c, append(head(time.Now(), len(count)), count...))
	default:
		l.write(c, l.answers.small)
	}
	if r.last && l.conns[c.fd] == c && len(c.out) == 0 && c.file == 0 && c.skip == 0 {
		l.end(c)
	}
}

// write writes b, or keeps a copy of what there is no room for.
func (l *loop) write(c *conn, b []byte) {
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return
	}
	c.out = b
	l.flush(c)
	c.out = bytes.Clone(c.out) // b is another's
}

// flush writes what there is room for.
func (l *loop) flush(c *conn) {
	for len(c.out) > 0 || c.file > 0 {
		var n int
		var err error
		if len(c.out) > 0 {
			n, err = wire.Write(c.fd, c.out)
			c.out = c.out[n:]
		} else {
			n, err = wire.WriteFile(c.fd, l.answers.file, int64(Body1M-c.file), c.file)
			c.file -= n
		}
		if errors.Is(err, wire.ErrAgain) {
			l.watch(c, true)
			return
		}
		if err != nil {
			l.end(c)
			c.out, c.file = nil, 0
			return
		}
	}
	c.out = nil
	l.watch(c, false)
}

// watch asks to be told when c can be written, or no longer.
func (l *loop) watch(c *conn, writes bool) {
	if c.watched != writes && l.poller.WatchWrites(c.fd, int32(c.fd), writes) == nil {
		c.watched = writes
	}
}

// tick sends the events that are due.
func (l *loop) tick() {
	if len(l.streams) == 0 || time.Now().Before(l.due) {
		return
	}
	b := event(l.due)
	for c := range l.streams {
		l.write(c, b)
	}
	l.due = l.due.Add(Interval)
}
