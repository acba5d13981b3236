package http2

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// ErrCalm is why a connection is closed whose client asks for more than its requests
// are worth.
var ErrCalm = errors.New("client sends frames that cost more than its requests are worth")

// What a client may cost. Each budget begins full, grows with time, and with what
// the client lets us do for it.
const (
	// resets is streams that the client opens and ends before their answer (rapid
	// reset, CVE-2023-44487), or has us end (CVE-2025-8671). A stream that gets its
	// answer earns one.
	resetBurst, resetRate = 500, 50
	// control is frames beside requests and bodies: PING, SETTINGS, PRIORITY,
	// WINDOW_UPDATE, and those for streams that are over. A frame of an answer
	// earns as many as a client acknowledges it with.
	controlBurst, controlRate = 1000, 100
	controlEarned             = 3
	// A DATA frame of an answer below this size earns nothing but a PING: a client that
	// opens its window byte by byte pays for it, and one that measures the way does not.
	worthwhile = 16
	maxPings   = 100
	// Once for this many bytes of answers a client may send a WINDOW_UPDATE that its
	// budget does not pay, however late: those who read slowly may have megabytes to
	// acknowledge. Go's does it for every 4 KB, of the stream and of the connection.
	bytesPerUpdate = 1 << 10
	// empties is DATA frames without data that do not end their stream.
	emptyBurst, emptyRate = 100, 10
	// continuations is how many frames a head may be cut into.
	maxContinuations = 32
)

// Watch follows both directions of one connection. It belongs to one goroutine at a
// time.
type Watch struct {
	in, out cursor
	frames  int  // of the client
	head    int  // the frame that the head began with that came last; 0 once another frame came
	ends    bool // that head has its last frame
	pieces  int  // CONTINUATION frames of the head that came last
	block   int  // its bytes so far
	most    int  // bytes that a head may have, encoded

	open     []uint32 // streams whose answer is not complete
	last     uint32   // the highest stream of the client
	begun    bool     // we sent a frame: the first are our SETTINGS
	goneAway bool     // we sent a GOAWAY

	pings                    int // that are owed to DATA frames
	resets, control, empties budget
	unacked                  int64 // bytes of answers that no WINDOW_UPDATE was sent for
	lenient                  bool
}

// NewWatch returns a watch for a connection that begins with its preface. A head may
// have mostHead bytes on the wire. A lenient one has no budgets: its client carries
// the requests of many.
func NewWatch(mostHead int, lenient bool, now func() time.Time) *Watch {
	began := now()
	return &Watch{
		in:      cursor{skip: len(Preface)},
		most:    mostHead,
		resets:  newBudget(resetBurst, resetRate, began, now),
		control: newBudget(controlBurst, controlRate, began, now),
		empties: newBudget(emptyBurst, emptyRate, began, now),
		lenient: lenient,
	}
}

// Open is how many streams have no complete answer yet.
func (w *Watch) Open() int { return len(w.open) }

// Last is the highest stream that the client opened.
func (w *Watch) Last() uint32 { return w.last }

// Done reports whether a GOAWAY was sent and every stream has its answer.
func (w *Watch) Done() bool { return w.goneAway && len(w.open) == 0 }

// Between reports whether what we sent ends with a frame, so that one more can
// follow.
func (w *Watch) Between() bool { return w.begun && w.out.between() }

// Head tells apart the heads that the client has begun and not ended, and may have: that
// of a frame of which we cannot tell the kind yet. 0 is none.
func (w *Watch) Head() int {
	switch {
	case w.head > 0 && (!w.ends || w.in.skip > 0):
		return w.head
	case w.in.have > 0:
		return w.frames + 1
	}
	return 0
}

// In follows what the client sent. ErrCalm says that the connection is to be closed.
func (w *Watch) In(b []byte) error {
	var f frame
	for {
		var ok bool
		if b, ok = w.in.next(b, &f); !ok {
			return nil
		}
		if !w.takes(&f) {
			return ErrCalm
		}
	}
}

// takes reports whether a frame of the client is within what it may cost. What is
// wrong with it is net/http's to say.
func (w *Watch) takes(f *frame) bool {
	w.frames++
	w.ends = f.has(flagEndHeaders)
	switch f.kind {
	case frameHeaders:
		w.head = w.frames
		w.begin(f)
		return w.block <= w.most
	case frameContinuation:
		w.pieces++
		w.block += f.length
		return w.pieces <= maxContinuations && w.block <= w.most
	}
	w.head = 0
	switch f.kind {
	case frameData:
		return !f.empty() || w.spend(&w.empties)
	case frameReset:
		if w.end(f.stream) {
			return w.spend(&w.resets)
		}
	case framePing:
		if w.pings > 0 {
			w.pings--
			return true
		}
	case frameWindowUpdate:
		if w.unacked >= bytesPerUpdate {
			w.unacked -= bytesPerUpdate
			return true
		}
	}
	return w.spend(&w.control)
}

// begin notes a HEADERS frame: a new stream, or the trailers of one.
func (w *Watch) begin(f *frame) {
	w.pieces, w.block = 0, f.length
	if f.stream > w.last {
		w.last = f.stream
		w.open = append(w.open, f.stream)
	}
}

// Out follows what we sent.
func (w *Watch) Out(b []byte) error {
	var f frame
	for {
		var ok bool
		if b, ok = w.out.next(b, &f); !ok {
			return nil
		}
		if !w.sent(&f) {
			return ErrCalm
		}
	}
}

func (w *Watch) sent(f *frame) bool {
	w.begun = true
	switch f.kind {
	case frameHeaders:
		w.control.earn(controlEarned)
	case frameData:
		if f.length >= worthwhile {
			w.control.earn(controlEarned)
			w.unacked += int64(f.length)
		}
		w.pings = min(w.pings+1, maxPings)
	case frameReset:
		return w.weReset(f)
	case frameGoAway:
		w.goneAway = true
		return true
	default:
		return true
	}
	if f.has(flagEndStream) && w.end(f.stream) {
		w.resets.earn(1)
	}
	return true
}

// weReset notes that we end a stream. For what its target or we did the client does
// not pay, but for what it did it does.
func (w *Watch) weReset(f *frame) bool {
	was := w.end(f.stream)
	switch code := Code(binary.BigEndian.Uint32(f.start[:])); {
	case code == NoError || code == InternalError:
		return true
	case was:
		return w.spend(&w.resets)
	}
	return w.spend(&w.control)
}

// end forgets a stream, and reports whether it was open.
func (w *Watch) end(stream uint32) bool {
	i := slices.Index(w.open, stream)
	if i < 0 {
		return false
	}
	end := len(w.open) - 1
	w.open[i] = w.open[end]
	w.open = w.open[:end]
	return true
}

func (w *Watch) spend(b *budget) bool { return b.spend() || w.lenient }

// budget is what may still be spent. The clock is read only when it is empty.
type budget struct {
	left, most int
	rate       int // a second
	since      time.Time
	now        func() time.Time
}

func newBudget(most, rate int, began time.Time, now func() time.Time) budget {
	return budget{left: most, most: most, rate: rate, since: began, now: now}
}

func (b *budget) earn(n int) { b.left = min(b.left+n, b.most) }

func (b *budget) spend() bool {
	if b.left == 0 {
		now := b.now()
		grown := int(now.Sub(b.since).Seconds() * float64(b.rate))
		if grown == 0 {
			return false
		}
		b.since = now
		b.earn(grown)
	}
	b.left--
	return true
}
