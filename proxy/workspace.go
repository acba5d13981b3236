package proxy

import (
	"sync"
	"sync/atomic"

	"upfront/balancer"
	"upfront/proxy/http1"
)

// The sizes of the buffers. A stream holds at most one workspace and two
// buffers, whatever its body: about 90 KB and the heads; docs/request.md promises it.
// While the head of a response is read and passed on it may hold twice
// maxResponseHead. Where bodies are buffered, each direction adds a spool: the memory
// that the service allows, and a buffer to read its file with.
const (
	headBuffer = 4 << 10  // of a workspace, grows to Settings.MaxHeadBytes
	outBuffer  = 2 << 10  // of a workspace, grows with what is written at once
	bodyBuffer = 32 << 10 // of a body, in each direction; grows for the head of a response only
)

// workspace is what a connection needs only while it has a request: a
// connection that waits for one holds none.
type workspace struct {
	in   []byte // what the client sent: in[read:have] is not consumed yet
	out  []byte // the head being written, with a small body behind it
	req  http1.Request
	res  http1.Response
	x    exchange
	pour pour

	clientSender, targetSender sender
}

var workspaces = sync.Pool{New: func() any {
	return &workspace{in: make([]byte, headBuffer), out: make([]byte, 0, outBuffer)}
}}

// keepHead is the largest head buffer that goes back to the pool.
const keepHead = 16 << 10

func (w *workspace) release() {
	if len(w.in) > keepHead {
		w.in = make([]byte, headBuffer)
		w.req.Reset() // it points into the old one
	}
	w.shrinkOut()
	w.res.Reset() // it may point into a large buffer
	workspaces.Put(w)
}

// shrinkOut forgets the storage of a large head that was written.
func (w *workspace) shrinkOut() {
	if cap(w.out) > keepHead {
		w.out = make([]byte, 0, outBuffer)
	}
}

var bodyBuffers = sync.Pool{New: func() any { return new([bodyBuffer]byte) }}

// bodyReader reads a body's bytes from a socket into a buffer that it holds only
// while there is something in it.
type bodyReader struct {
	s     *socket
	share *share // of the full buffers; nil for no bound
	buf   []byte // full or small, nil for none
	large []byte // used instead of buf while what waits does not fit in it
	have  int

	get  func() []byte // bound once
	drop func()
}

func (r *bodyReader) init(s *socket) {
	r.s = s
	if r.get == nil {
		r.get, r.drop = r.space, r.release
	}
}

func (r *bodyReader) space() []byte {
	switch {
	case r.large != nil:
		return r.large[r.have:]
	case r.buf == nil:
		r.take(0)
	case r.have == len(r.buf) && r.have < bodyBuffer:
		small := r.buf
		r.take(bodyBuffer)
		copy(r.buf, small)
		givePiece(small)
	}
	return r.buf[r.have:]
}

// take gets a buffer with room for n bytes at least.
func (r *bodyReader) take(n int) {
	full := r.share.take()
	if !full && n > firstPiece {
		r.share.exceed()
		full = true
	}
	piece := newPiece(!full)
	r.buf = piece[:cap(piece)]
}

// giveBack parts with the buffer.
func (r *bodyReader) giveBack() {
	if len(r.buf) == bodyBuffer {
		r.share.giveBack()
	}
	givePiece(r.buf)
	r.buf = nil
}

// release gives the buffer back unless bytes wait in it.
func (r *bodyReader) release() {
	if r.buf != nil && r.have == 0 {
		r.giveBack()
	}
}

// pass is release once a piece was passed on of a body that goes on.
func (r *bodyReader) pass() {
	if len(r.buf) == bodyBuffer {
		r.share.pass()
	}
	r.release()
}

// discard forgets what waits and gives the buffer back.
func (r *bodyReader) discard() {
	r.have, r.large = 0, nil
	r.release()
}

// bytes returns what waits.
func (r *bodyReader) bytes() []byte {
	if r.large != nil {
		return r.large[:r.have]
	}
	return r.buf[:r.have]
}

// more reads once and adds to what waits.
func (r *bodyReader) more() error {
	n, err := r.s.readLazy(r.get, r.drop)
	r.have += n
	return err
}

// grow makes room behind what waits, up to limit bytes in all: twice as much as
// before, so that what comes byte by byte is copied a few times only.
func (r *bodyReader) grow(limit int) {
	waits := r.bytes()
	if room := max(len(r.large), bodyBuffer); len(waits) < room || room >= limit {
		return
	}
	large := make([]byte, min(2*len(waits), limit))
	r.have = copy(large, waits)
	r.large = large
	if r.buf != nil {
		r.giveBack()
	}
}

// consume forgets the first n bytes, and a large buffer as soon as the rest fits
// in a usual one.
func (r *bodyReader) consume(n int) {
	rest := r.bytes()[n:]
	if r.large != nil && len(rest) <= bodyBuffer {
		r.large = nil
		r.take(len(rest))
		r.have = copy(r.buf, rest)
		return
	}
	if n < r.have {
		copy(r.bytes(), rest)
	}
	r.have = len(rest)
}

// maxAttempts bounds how often one exchange is sent.
const maxAttempts = 4

// triedTargets is the targets that an exchange failed with.
type triedTargets struct {
	list [maxAttempts]*balancer.Target
	n    int
}

func (t *triedTargets) add(target *balancer.Target) {
	if t.n < len(t.list) {
		t.list[t.n] = target
		t.n++
	}
}

func (t *triedTargets) all() []*balancer.Target { return t.list[:t.n] }

// current is the connection that a client's exchange waits on, for whoever has
// to end the wait. Whoever swaps it out owns the right to kill it, or to keep it.
type current struct{ p atomic.Pointer[targetConn] }

func (c *current) set(conn *targetConn)        { c.p.Store(conn) }
func (c *current) take() *targetConn           { return c.p.Swap(nil) }
func (c *current) clear(conn *targetConn) bool { return c.p.CompareAndSwap(conn, nil) }
