package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// streamConn is the connection that the exchange of a stream reads from and writes
// to. There is no pipe behind it, and no goroutine but for the first read of a body: a
// read takes from the request's body, in the framing of HTTP/1.1, and a write is
// translated on the spot.
type streamConn struct {
	r       *http.Request
	w       http.ResponseWriter
	remote  net.Addr
	framing streamFraming

	pending []byte // framing to be read before more of the body; owner: who reads
	small   [64]byte
	ended   bool          // nothing follows pending; owner: who reads
	waits   bool          // the client waits for a 100 before it sends its body; owner: who reads
	askBy   time.Time     // when it is asked in any case; zero until somebody waits; owner: who reads
	asks    chan struct{} // capacity 1, fed when the client may be asked
	answer  streamAnswer  // owner: who writes
	first   firstRead     // of the body; owner: who reads
	invites func()        // bound once
	settled func(ok bool) // called once, when the answer is complete or none will be

	mu     sync.Mutex
	closed bool // guarded by mu
	began  bool // guarded by mu; the body is read by who waits, not by first
	read   half // guarded by mu
	write  half // guarded by mu
}

// half is one direction, with its deadline. What waits is woken by abort, and does not
// recover, but for the wait for the first piece of a body: another attempt waits anew.
type half struct {
	by     time.Time
	active bool // somebody waits in it
	late   bool // its deadline passed while somebody waited
	over   bool // late was reported
	timer  *time.Timer
	wake   func() // what timer calls; bound once
}

func (c *streamConn) reset(r *http.Request, w http.ResponseWriter, remote net.Addr) {
	c.r, c.w, c.remote, c.framing = r, w, remote, framingOf(r)
	c.pending, c.ended = nil, c.framing == noBody
	c.waits, c.askBy = c.framing != noBody && awaitsContinue(r), time.Time{}
	if c.invites == nil {
		c.asks = make(chan struct{}, 1)
		c.invites, c.read.wake, c.write.wake = c.invite, c.wakeRead, c.wakeWrite
	}
	select {
	case <-c.asks: // of the stream before
	default:
	}
	c.answer.reset(w, r)
	c.closed, c.began, c.settled = false, false, nil
	c.first.reset()
	c.read = half{timer: c.read.timer, wake: c.read.wake}
	c.write = half{timer: c.write.timer, wake: c.write.wake}
}

// forget lets go of what belongs to the request.
func (c *streamConn) forget() {
	if c.r != nil {
		c.first.join(c.r.Body)
	}
	c.r, c.w, c.remote, c.pending, c.settled = nil, nil, nil, nil, nil
	c.answer.w = nil
}

// Read reads the body in its framing; the head has been handed over before.
func (c *streamConn) Read(p []byte) (int, error) {
	if len(c.pending) > 0 {
		n := copy(p, c.pending)
		c.pending = c.pending[n:]
		return n, nil
	}
	switch {
	case c.ended:
		return 0, io.EOF
	case c.framing == byLength:
		return c.readBody(p)
	case len(p) < len(c.small):
		n, err := c.readChunk(c.small[:])
		c.pending = c.small[:n]
		if n == 0 {
			return 0, err
		}
		return c.Read(p)
	}
	return c.readChunk(p)
}

const (
	chunkRoom = len("ffff\r\n")
	mostChunk = 0xffff
)

// readChunk reads once, and puts a chunk's framing around what came.
func (c *streamConn) readChunk(p []byte) (int, error) {
	n, err := c.readBody(p[chunkRoom:min(len(p)-len(lineEnd), chunkRoom+mostChunk)])
	if n > 0 {
		var size [chunkRoom]byte
		line := append(strconv.AppendInt(size[:0], int64(n), 16), lineEnd...)
		copy(p, line)
		if len(line) < chunkRoom {
			copy(p[len(line):], p[chunkRoom:chunkRoom+n])
		}
		end := len(line) + n
		return end + copy(p[end:], lineEnd), nil
	}
	if !errors.Is(err, io.EOF) {
		return 0, err
	}
	c.ended = true
	c.pending = append(make([]byte, 0, 64), "0\r\n"...)
	for name, values := range c.r.Trailer {
		for _, value := range values {
			if oneLine(value) {
				c.pending = appendField(c.pending, name, value)
			}
		}
	}
	c.pending = append(c.pending, lineEnd...)
	return c.Read(p)
}

func (c *streamConn) readBody(p []byte) (int, error) {
	if err := c.enter(&c.read); err != nil {
		return 0, err
	}
	n, err := 0, error(nil)
	if c.mayAsk() {
		n, err = c.next(p)
	}
	late := c.exit(&c.read)
	switch {
	case n > 0:
		return n, nil // an end is there to be read again
	case late != nil:
		return 0, late
	case errors.Is(err, io.EOF):
		return 0, io.EOF
	}
	return 0, err
}

// next reads the body, its first piece through first.
func (c *streamConn) next(p []byte) (int, error) {
	if !c.first.taken() {
		return c.first.read(c.r.Body, p)
	}
	c.mu.Lock()
	c.began = true
	cut := c.closed || c.read.late
	c.mu.Unlock()
	if cut {
		return 0, nil // who cut it found nothing to wake
	}
	return c.r.Body.Read(p)
}

// patience is how long a client that waits for a 100 is left waiting for its
// target's. One that does not wait cannot be told from it, and its target may know
// no 100.
const patience = time.Second

// mayAsk keeps the body unread while the client waits for a 100: the first read
// sends it. It reports false when the wait was cut short.
func (c *streamConn) mayAsk() bool {
	if !c.waits {
		return true
	}
	if c.askBy.IsZero() {
		c.askBy = time.Now().Add(patience)
	}
	timer := time.NewTimer(time.Until(c.askBy))
	defer timer.Stop()
	select {
	case <-c.asks:
	case <-timer.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.read.late {
		return false // the next attempt asks its target
	}
	c.waits = false
	return true
}

// invite ends the wait of mayAsk.
func (c *streamConn) invite() {
	select {
	case c.asks <- struct{}{}:
	default: // nobody waits, or not any more
	}
}

// Write takes the next bytes of the answer.
func (c *streamConn) Write(p []byte) (int, error) {
	if err := c.enter(&c.write); err != nil {
		return 0, err
	}
	err := c.answer.write(p, c.invites)
	if late := c.exit(&c.write); late != nil {
		err = late
	}
	if err != nil {
		return 0, err
	}
	if c.answer.done {
		c.settle(true)
	}
	return len(p), nil
}

// settle says that the answer is complete, or that there will be none.
func (c *streamConn) settle(ok bool) {
	if settled := c.settled; settled != nil {
		c.settled = nil
		settled(ok)
	}
}

// enter begins a wait in a direction, with its deadline.
func (c *streamConn) enter(h *half) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || h.over:
		return net.ErrClosed
	case h.late:
		h.over = true
		return os.ErrDeadlineExceeded
	}
	if !h.by.IsZero() {
		d := time.Until(h.by)
		if d <= 0 {
			return os.ErrDeadlineExceeded
		}
		h.after(d)
	}
	h.active = true
	return nil
}

// after has h looked at in d.
func (h *half) after(d time.Duration) {
	if h.timer == nil {
		h.timer = time.AfterFunc(d, h.wake)
		return
	}
	h.timer.Reset(d)
}

// exit ends the wait, and reports whether it was cut short.
func (c *streamConn) exit(h *half) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.active = false
	if h.timer != nil {
		h.timer.Stop()
	}
	switch {
	case c.closed:
		return net.ErrClosed
	case h.late:
		h.over = true
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (c *streamConn) wakeRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut(&c.read, c.abortRead)
}

func (c *streamConn) wakeWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut(&c.write, c.abortWrite)
}

// cut ends the wait of h if its deadline has passed; it may have moved.
func (c *streamConn) cut(h *half, abort func()) {
	if !h.active || h.late || h.by.IsZero() {
		return
	}
	if d := time.Until(h.by); d > 0 {
		h.after(d)
		return
	}
	h.late = true
	abort()
}

// abortRead and abortWrite end what waits; mu is held, so that the request is not
// over meanwhile.
func (c *streamConn) abortRead() {
	if c.began || c.closed {
		_ = c.r.Body.Close() // for good
	}
	c.first.end()
	c.invite()
}

func (c *streamConn) abortWrite() {
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Unix(1, 0))
}

// Close ends both directions. An answer that is not complete never looks as if it
// were: the stream is reset.
func (c *streamConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	if c.read.active {
		c.abortRead()
	}
	if c.write.active {
		c.abortWrite()
	}
	return nil
}

// SetDeadline sets both deadlines.
func (c *streamConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets when reads give up.
func (c *streamConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read.by = t
	if !c.began && !c.read.active {
		c.read.late, c.read.over = false, false
		c.first.calm()
	}
	c.cut(&c.read, c.abortRead)
	return nil
}

// SetWriteDeadline sets when writes give up.
func (c *streamConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write.by = t
	c.cut(&c.write, c.abortWrite)
	return nil
}

// LocalAddr is nil: the port is that of the connection below.
func (c *streamConn) LocalAddr() net.Addr { return nil }

// RemoteAddr is the client's.
func (c *streamConn) RemoteAddr() net.Addr { return c.remote }
