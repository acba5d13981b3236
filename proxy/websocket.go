package proxy

import "encoding/binary"

// frames follows the frame boundaries of a WebSocket stream (RFC 6455 §5.2) as
// its bytes pass, so that a close frame can be put between two of them. It is
// sans-IO and keeps no payload.
type frames struct {
	head   [14]byte
	have   int   // bytes of the head so far
	left   int64 // of the payload
	closed bool  // a close frame passed
}

const opClose = 0x8

// walk follows b.
func (f *frames) walk(b []byte) {
	for len(b) > 0 {
		b = b[f.step(b):]
	}
}

// walkOut follows b up to the end of the frame that it is in, and returns how far
// that is: 0 if it is between two frames, len(b) if the frame does not end in b.
func (f *frames) walkOut(b []byte) (n int) {
	for n < len(b) && !f.between() {
		n += f.step(b[n:])
	}
	return n
}

// step follows a piece of b: of a frame's head or of its payload.
func (f *frames) step(b []byte) int {
	if f.left > 0 {
		n := min(f.left, int64(len(b)))
		f.left -= n
		return int(n)
	}
	n := copy(f.head[f.have:f.need()], b)
	f.have += n
	if f.have == f.need() {
		f.left = max(f.length(), 0)
		f.closed = f.closed || f.head[0]&0x0f == opClose
		f.have = 0
	}
	return n
}

// need is how long the head is, as far as its bytes say.
func (f *frames) need() int {
	if f.have < 2 {
		return 2
	}
	n := 2
	switch f.head[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if f.head[1]&0x80 != 0 {
		n += 4 // the masking key
	}
	return n
}

func (f *frames) length() int64 {
	switch n := f.head[1] & 0x7f; n {
	case 126:
		return int64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		return int64(binary.BigEndian.Uint64(f.head[2:])) // negative: no peer means it
	default:
		return int64(n)
	}
}

// between reports whether the stream is between two frames.
func (f *frames) between() bool { return f.have == 0 && f.left == 0 }

// goingAway is an unmasked close frame with status 1001 (RFC 6455 §7.4.1): what a
// server sends that goes down.
var goingAway = []byte{0x80 | opClose, 2, 0x03, 0xe9}
