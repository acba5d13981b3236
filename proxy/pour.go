package proxy

import (
	"errors"
	"io"
	"time"

	"upfront/proxy/http1"
)

// pour moves bytes from one socket to another and takes none before the other has
// it: what the receiver's system does not take stays with that of the sender, so
// that a receiver that does not read holds no buffer of ours while we wait for it.
// It is part of a workspace.
type pour struct {
	from, to *socket
	patience time.Duration // of the receiver
	buf      *[bodyBuffer]byte
	most     int // that may be moved at once
	n        int // bytes in buf, copies of those that from still has
	wrote    int
	waited   bool
	failed   error
	splicing splicing

	look, write func(fd uintptr) bool // bound once
	take        func(fd uintptr)
}

func (p *pour) init(from, to *socket, patience time.Duration) {
	p.from, p.to, p.patience = from, to, patience
	if p.look == nil {
		p.look, p.write, p.take = p.tryLook, p.tryWrite, p.takeWritten
	}
}

// move moves some of the next left bytes, without copying them where the receiver has
// room for many. What fails is either the sender's or the receiver's fault.
func (p *pour) move(left int64) (n int, fromFailed, toFailed error) {
	if left >= spliceFrom {
		if room := p.roomToSplice(); room > 0 {
			n, fromFailed, toFailed = p.splice(int(min(int64(room), left)))
			if fromFailed != errNoPipe { //nolint:errorlint // it is splice's own value
				return n, fromFailed, toFailed
			}
		}
	}
	if err := p.fill(left); err != nil {
		return 0, err, nil
	}
	n, err := p.flush()
	return n, nil, err
}

// errNoPipe: the bytes have to be copied, for want of a pipe.
var errNoPipe = errors.New("no pipe")

// spliceFrom is how much must be left for a splice to pay.
const spliceFrom = 64 << 10

// fill waits until from has something, up to most bytes of which are then in buf.
func (p *pour) fill(most int64) error {
	p.most, p.failed = int(min(most, bodyBuffer)), nil
	if err := p.from.raw.Read(p.look); err != nil {
		return err
	}
	return p.failed
}

func (p *pour) tryLook(fd uintptr) bool {
	if p.buf == nil {
		p.buf = bodyBuffers.Get().(*[bodyBuffer]byte)
	}
	n, wait, err := lookAt(fd, p.buf[:p.most])
	if wait {
		p.release()
		return false
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	p.n, p.failed = n, err
	return true
}

// flush writes what is in buf as far as the receiver takes it, and returns how much
// that was. When it takes nothing flush waits, without a buffer, until it does, and
// returns 0.
func (p *pour) flush() (int, error) {
	p.wrote, p.waited, p.failed = 0, false, nil
	p.to.armWrite(time.Now(), p.patience)
	if err := p.to.writeRaw(p.write, takesMore); err != nil {
		return 0, err
	}
	if p.failed == nil && p.wrote > 0 {
		p.failed = p.from.raw.Control(p.take)
	}
	return p.wrote, p.failed
}

func (p *pour) tryWrite(fd uintptr) bool {
	if p.waited {
		return true
	}
	p.wrote, p.failed = tryWrite(fd, p.buf[:p.n], nil)
	if p.wrote == 0 && p.failed == nil {
		p.waited = true
		p.release()
		return false
	}
	return true
}

func (p *pour) takeWritten(fd uintptr) { p.failed = discardFrom(fd, p.buf[:p.wrote]) }

func (p *pour) release() {
	if p.buf != nil {
		bodyBuffers.Put(p.buf)
		p.buf = nil
	}
}

// mayPour reports whether the rest of body is to be moved as pour does, which is
// not when the target is to be free before the client has everything. It costs a
// system call more for each piece, which the rest must be worth.
func (x *exchange) mayPour(body *flow) bool {
	return canPour && !x.leads && body.left > bodyBuffer && x.conn.raw != nil && x.c.raw != nil && x.c.layer == nil
}

// awaitReader waits until the client takes more of a large body over TLS, which cannot
// be poured, before more of it is read: so a client that does not read holds no buffer.
func (x *exchange) awaitReader(body *flow) *Error {
	if !canTryIO || x.leads || x.c.layer == nil || x.c.raw == nil || body.kind != http1.Fixed || body.left <= bodyBuffer {
		return nil
	}
	x.c.armWrite(time.Now(), x.settings.BodyTimeout)
	if err := x.c.writeRaw(takesMore, takesMore); err != nil {
		return &Error{Op: "write", Source: FromClient, Status: 499, Err: cause(err)}
	}
	return nil
}

// pourBody passes on the rest of a body of known length.
func (x *exchange) pourBody(body *flow) *Error {
	p := &x.c.pour
	p.init(&x.conn.socket, &x.c.socket, x.settings.BodyTimeout)
	defer p.release()
	for body.left > 0 {
		x.conn.armRead(time.Now(), x.settings.BodyTimeout)
		n, fromFailed, toFailed := p.move(body.left)
		x.sent += int64(n)
		body.left -= int64(n)
		switch {
		case fromFailed != nil:
			return x.cutBody(fromFailed)
		case toFailed != nil:
			return &Error{Op: "write", Source: FromClient, Status: 499, Err: cause(toFailed)}
		}
	}
	return nil
}
