package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// tlsLayer stands between a client's tls.Conn and the system's connection. It lets
// reads give up where they would have to wait, so that an idle connection needs no
// buffer of ours, and it sends all records of one write in one system call.
type tlsLayer struct {
	net.Conn           // the system's
	tls      *tls.Conn // set once
	above    *socket   // that speaks through it; set once, nil before

	fd     uintptr // while trying; owner: who reads
	trying bool    // a read must not wait; owner: who reads

	// Owner of these: who runs the handshake.
	session session
	early   []byte        // what came with the PROXY header
	turns   chan struct{} // of the handshakes that compute; set once
	turn    bool          // we have one of them
	turnBy  time.Time     // when the handshake must be over

	record records // of what was read; owner: who reads

	mu     sync.Mutex
	corked bool    // guarded by mu; records are kept until they are sent together
	out    *[]byte // guarded by mu; the records that are kept; nil for none
	failed error   // guarded by mu; a record is lost, so that no other may follow
}

func newTLSLayer(conn net.Conn, config *tls.Config, turns chan struct{}) *tlsLayer {
	l := &tlsLayer{Conn: conn, turns: turns}
	l.tls = tls.Server(l, config)
	return l
}

// oneRecord is what fits in one record however new the connection is: the first ones
// are as small as a packet.
const oneRecord = 1 << 10

// maxCorked bounds the records that are kept.
const maxCorked = 64 << 10

// notYetError is what a read that must not wait ends in. To package tls it is an error
// after which the connection can be read again.
type notYetError struct{}

func (notYetError) Error() string   { return "nothing to read yet" }
func (notYetError) Timeout() bool   { return true }
func (notYetError) Temporary() bool { return true }

var errNotYet net.Error = notYetError{}

// records follows the boundaries of records.
type records struct {
	head [5]byte
	have int // bytes of the head so far
	left int // of the record
}

func (r *records) walk(b []byte) {
	for len(b) > 0 {
		n := min(r.left, len(b))
		if r.left -= n; n == 0 {
			n = copy(r.head[r.have:], b)
			if r.have += n; r.have == len(r.head) {
				r.have, r.left = 0, int(r.head[3])<<8|int(r.head[4])
			}
		}
		b = b[n:]
	}
}

// begun reports whether a part of a record was taken, of which the rest has not come.
func (l *tlsLayer) begun() bool { return l != nil && (l.record.have > 0 || l.record.left > 0) }

// Read is called by the tls.Conn.
func (l *tlsLayer) Read(b []byte) (int, error) {
	n, err := l.read(b)
	l.record.walk(b[:max(n, 0)])
	return n, err
}

func (l *tlsLayer) read(b []byte) (int, error) {
	l.endTurn()
	if len(l.early) > 0 {
		n := copy(b, l.early)
		l.early = l.early[n:]
		return n, nil
	}
	if !l.trying {
		return l.Conn.Read(b)
	}
	n, wait, err := tryRead(l.fd, b)
	switch {
	case wait:
		return 0, errNotYet
	case n > 0:
		return n, nil
	case err == nil:
		err = io.EOF
	}
	return 0, err
}

// tryRead reads what there is of the records that have arrived on fd; wait says that
// none is complete. Behind a large record it looks for another: what a client sends at
// once comes in several, and what came with the head of a request can be sent again.
func (l *tlsLayer) tryRead(fd uintptr, b []byte) (n int, wait bool, err error) {
	l.fd, l.trying = fd, true
	for m := oneRecord; m >= oneRecord && n < len(b) && err == nil; {
		m, err = l.tls.Read(b[n:])
		n += m
	}
	l.trying = false
	if n > 0 {
		return n, false, nil // an error comes again
	}
	if errors.Is(err, errNotYet) {
		return 0, true, nil
	}
	return 0, false, err
}

// Write is called by the tls.Conn, with whole records.
func (l *tlsLayer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.corked && l.failed == nil {
		if l.out == nil {
			l.out = recordBuffers.Get().(*[]byte)
		}
		*l.out = append(*l.out, b...)
		return len(b), nil
	}
	if err := l.flush(); err != nil {
		return 0, err
	}
	return l.push(b)
}

// send writes head and body, and returns how many of their bytes are encrypted.
func (l *tlsLayer) send(head, body []byte) (int, error) {
	if n := len(head); 0 < n && n <= oneRecord && len(body) == 0 {
		return l.tls.Write(head)
	}
	n := 0
	for _, piece := range [...][]byte{head, body} {
		for len(piece) > 0 {
			part := piece[:min(len(piece), maxCorked)]
			if err := l.seal(part); err != nil {
				return n, err
			}
			n, piece = n+len(part), piece[len(part):]
			if n >= maxCorked {
				if err := l.uncork(); err != nil {
					return n, err
				}
			}
		}
	}
	return n, l.uncork()
}

// seal encrypts b and keeps the records.
func (l *tlsLayer) seal(b []byte) error {
	l.mu.Lock()
	l.corked = true
	l.mu.Unlock()
	_, err := l.tls.Write(b)
	return err
}

// uncork sends what is kept.
func (l *tlsLayer) uncork() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.corked = false
	return l.flush()
}

// sendNow writes head and body as far as that needs no waiting, and keeps the rest of
// their records; it reports whether there is one.
func (l *tlsLayer) sendNow(s *socket, w *sender, head, body []byte) (kept bool, err error) {
	for _, piece := range [...][]byte{head, body} {
		if len(piece) > 0 {
			if err := l.seal(piece); err != nil {
				return false, err
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.corked = false
	if l.failed != nil || l.out == nil {
		return false, l.failed
	}
	n, err := w.sendNow(s, *l.out, nil)
	if err != nil {
		l.failed = err
		l.release()
		return false, err
	}
	*l.out = (*l.out)[:copy(*l.out, (*l.out)[n:])]
	if len(*l.out) == 0 {
		l.release()
		return false, nil
	}
	return true, nil
}

// flush sends what is kept, and waits for that. What is left at a deadline before which
// the client took something stays for another flush. The caller holds mu.
func (l *tlsLayer) flush() error {
	if l.failed != nil || l.out == nil {
		return l.failed
	}
	_, l.failed = l.push(*l.out)
	l.release()
	return l.failed
}

// push writes records as far as the peer takes any in time. The caller holds mu.
func (l *tlsLayer) push(b []byte) (int, error) {
	if l.above == nil {
		return l.Conn.Write(b)
	}
	return l.above.writeTo(l.Conn, b)
}

// SetWriteDeadline is called by the tls.Conn, which ends with it.
func (l *tlsLayer) SetWriteDeadline(t time.Time) error {
	if l.above == nil {
		return l.Conn.SetWriteDeadline(t)
	}
	return l.above.SetWriteDeadline(t)
}

// release gives the buffer back. The caller holds mu.
func (l *tlsLayer) release() {
	if cap(*l.out) <= 2*recordBuffer {
		*l.out = (*l.out)[:0]
		recordBuffers.Put(l.out)
	}
	l.out = nil
}

// recordBuffer holds what is written at once of a body, with a head and the records'
// own bytes: while a connection is new, they are many.
const recordBuffer = bodyBuffer + 4<<10

var recordBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, recordBuffer)
	return &b
}}

// closeWrite says that no more comes: to TLS, and below it.
func (l *tlsLayer) closeWrite() {
	_ = l.tls.CloseWrite()
	if half, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
