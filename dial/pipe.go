package dial

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// pipe is a connection in memory: what an exchange has of a target that is spoken to
// in HTTP/2. It carries one request and its answer.
type pipe struct {
	up, down lane
	cancel   func() // ends what stands behind it; set once
	local    net.Addr
	remote   net.Addr
}

// errLeft is what one side of a lane gets when the other has closed the pipe.
var errLeft = errors.New("connection closed by its user")

func newPipe(via net.Conn, cancel func()) *pipe {
	p := &pipe{cancel: cancel, local: via.LocalAddr(), remote: via.RemoteAddr()}
	p.up.init()
	p.down.init()
	return p
}

// Read reads of the answer.
func (p *pipe) Read(b []byte) (int, error) { return p.down.read(b) }

// ReadNow reads what has arrived of the answer; wait says that nothing has.
func (p *pipe) ReadNow(b []byte) (n int, wait bool, err error) { return p.down.readNow(b) }

// Await waits until ReadNow finds something, or the end. It ends at the read deadline.
func (p *pipe) Await() error { return p.down.await() }

// Peek reports whether a read would have to wait, or would find the end.
func (p *pipe) Peek() (silent, ended bool) { return p.down.peek() }

// Write writes of the request.
func (p *pipe) Write(b []byte) (int, error) { return p.up.write(b) }

// Close ends the exchange with the target, unless it is over.
func (p *pipe) Close() error {
	p.up.finish(errLeft)
	p.down.abandon(net.ErrClosed)
	p.cancel()
	return nil
}

// LocalAddr is that of the connection to the target.
func (p *pipe) LocalAddr() net.Addr { return p.local }

// RemoteAddr is that of the target.
func (p *pipe) RemoteAddr() net.Addr { return p.remote }

// SetDeadline sets both deadlines.
func (p *pipe) SetDeadline(t time.Time) error {
	p.down.readBy(t)
	p.up.writeBy(t)
	return nil
}

// SetReadDeadline is for reads under way too.
func (p *pipe) SetReadDeadline(t time.Time) error {
	p.down.readBy(t)
	return nil
}

// SetWriteDeadline is for writes under way too.
func (p *pipe) SetWriteDeadline(t time.Time) error {
	p.up.writeBy(t)
	return nil
}

// laneRoom is how much of one direction may wait for its reader.
const laneRoom = 32 << 10

var laneBuffers = sync.Pool{New: func() any { return new([laneRoom]byte) }}

// lane is one direction of a pipe. It holds a buffer only while something waits in it.
type lane struct {
	mu     sync.Mutex
	turn   sync.Cond // of mu; told of every change
	room   *[laneRoom]byte
	waits  []byte // guarded by mu; what was written and not read
	end    error  // guarded by mu; what the reader finds behind it, nil while more may come
	gone   error  // guarded by mu; why nobody reads any more
	reader deadline
	writer deadline
}

func (l *lane) init() { l.turn.L = &l.mu }

// deadline is when one side of a lane waits no longer.
type deadline struct {
	timer  *time.Timer // guarded by the lane's mu
	passed bool        // guarded by the lane's mu
}

func (l *lane) readBy(t time.Time)  { l.arm(&l.reader, t) }
func (l *lane) writeBy(t time.Time) { l.arm(&l.writer, t) }

func (l *lane) arm(d *deadline, t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer, d.passed = nil, false
	if t.IsZero() || l.gone != nil {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		d.passed = true
		l.turn.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if d.timer == timer { // else another deadline has taken its place
			d.passed = true
			l.turn.Broadcast()
		}
	})
	d.timer = timer
}

// write waits for room.
func (l *lane) write(b []byte) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.gone != nil:
			return n, l.gone
		case l.end != nil:
			return n, net.ErrClosed
		case len(b) == 0:
			return n, nil
		case l.writer.passed:
			return n, errTimeout
		}
		if room := laneRoom - len(l.waits); room > 0 {
			piece := b[:min(room, len(b))]
			l.add(piece)
			n, b = n+len(piece), b[len(piece):]
			continue
		}
		l.turn.Wait()
	}
}

// force writes without waiting, for once beyond the room.
func (l *lane) force(b []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone != nil || l.end != nil || len(l.waits) > laneRoom {
		return false
	}
	l.add(b)
	return true
}

// add puts b behind what waits. The caller holds mu.
func (l *lane) add(b []byte) {
	if l.room == nil && len(l.waits) == 0 {
		l.room = laneBuffers.Get().(*[laneRoom]byte)
		l.waits = l.room[:0]
	}
	if l.room != nil && len(b) > cap(l.waits)-len(l.waits) && len(l.waits)+len(b) <= laneRoom {
		l.waits = l.room[:copy(l.room[:], l.waits)] // to the front
	}
	l.waits = append(l.waits, b...)
	l.turn.Broadcast()
}

// take moves what waits to b. The caller holds mu.
func (l *lane) take(b []byte) int {
	n := copy(b, l.waits)
	l.waits = l.waits[n:]
	if len(l.waits) == 0 {
		l.release()
	}
	l.turn.Broadcast()
	return n
}

// release gives the buffer back. The caller holds mu.
func (l *lane) release() {
	l.waits = nil
	if l.room != nil {
		laneBuffers.Put(l.room)
		l.room = nil
	}
}

func (l *lane) read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.awaitSome(); err != nil {
		return 0, err
	}
	return l.take(b), nil
}

func (l *lane) readNow(b []byte) (n int, wait bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.gone != nil:
		return 0, false, l.gone
	case len(l.waits) > 0:
		return l.take(b), false, nil
	}
	return 0, l.end == nil, l.end
}

func (l *lane) await() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.awaitSome(); err == errTimeout { //nolint:errorlint // our own value
		return err
	}
	return nil // ReadNow says the rest
}

// awaitSome waits until something is there to be read. The caller holds mu.
func (l *lane) awaitSome() error {
	for {
		switch {
		case l.gone != nil:
			return l.gone
		case len(l.waits) > 0:
			return nil
		case l.end != nil:
			return l.end
		case l.reader.passed:
			return errTimeout
		}
		l.turn.Wait()
	}
}

func (l *lane) peek() (silent, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	empty := len(l.waits) == 0
	return empty && l.end == nil && l.gone == nil, empty && l.end != nil || l.gone != nil
}

// finish says that no more will be written, and what the reader finds then.
func (l *lane) finish(end error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end == nil {
		l.end = end
	}
	l.stop()
}

// abandon says that nobody reads any more.
func (l *lane) abandon(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone == nil {
		l.gone = why
	}
	l.release()
	l.stop()
}

// stop ends the waits and the deadlines. The caller holds mu.
func (l *lane) stop() {
	if l.gone != nil {
		for _, d := range []*deadline{&l.reader, &l.writer} {
			if d.timer != nil {
				d.timer.Stop()
				d.timer = nil
			}
		}
	}
	l.turn.Broadcast()
}

// errTimeout is what waits end with at their deadline.
var errTimeout = &Error{text: "timed out", err: os.ErrDeadlineExceeded}
