package proxy

import (
	"io"
	"sync"
)

// firstRoom is how much of a stream's body is read at first, in bytes.
const firstRoom = 2 << 10

// firstRead is the first read of a stream's body. It runs beside who waits for it, so
// that an attempt that ends before the body came leaves it whole to the next: what
// net/http waits in can only be ended for good.
type firstRead struct {
	done chan struct{}    // closed when the read is over; nil before it began
	wake chan struct{}    // capacity 1; ends a wait, not the read
	got  []byte           // what came and was not taken; valid once done is closed
	err  error            // of the read; valid once done is closed
	room *[firstRoom]byte // from the read's beginning until join
}

var firstRooms = sync.Pool{New: func() any { return new([firstRoom]byte) }}

// reset prepares r for another body.
func (r *firstRead) reset() {
	if r.wake == nil {
		r.wake = make(chan struct{}, 1)
	}
	r.calm()
	r.done, r.got, r.err = nil, nil, nil
}

// read takes what came first. It returns 0 and nil when its wait was ended.
func (r *firstRead) read(body io.Reader, p []byte) (int, error) {
	if r.done == nil {
		r.done = make(chan struct{})
		r.room = firstRooms.Get().(*[firstRoom]byte)
		go r.run(body)
	}
	select {
	case <-r.done:
	case <-r.wake:
		return 0, nil
	}
	n := copy(p, r.got)
	r.got = r.got[n:]
	if len(r.got) > 0 {
		return n, nil
	}
	return n, r.err
}

// run is waited for by join.
func (r *firstRead) run(body io.Reader) {
	defer close(r.done)
	defer func() {
		if recover() != nil {
			r.err = errPanic
		}
	}()
	n, err := body.Read(r.room[:])
	r.got, r.err = r.room[:n], err
}

// waits reports whether the read has begun and is not over.
func (r *firstRead) waits() bool {
	if r.done == nil {
		return false
	}
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

// taken reports whether the rest is the body's own to read.
func (r *firstRead) taken() bool {
	return r.done != nil && !r.waits() && len(r.got) == 0 && r.err == nil
}

// end ends a wait.
func (r *firstRead) end() {
	select {
	case r.wake <- struct{}{}:
	default: // it is ended already
	}
}

// calm forgets an end that met nobody who waited.
func (r *firstRead) calm() {
	select {
	case <-r.wake:
	default:
	}
}

// join waits until nothing reads body any more, and forgets what came of it.
func (r *firstRead) join(body io.Closer) {
	if r.waits() {
		_ = body.Close()
		<-r.done
	}
	if r.room != nil {
		firstRooms.Put(r.room)
		r.room, r.got = nil, nil
	}
}
