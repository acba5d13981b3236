package proxy

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// frame is one WebSocket frame with n bytes of payload.
func frame(op byte, n int, masked bool) []byte {
	b := []byte{0x80 | op, 0}
	switch {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if masked {
		b[1] |= 0x80
		b = append(b, 0x88, 0x88, 0x88, 0x88)
	}
	return append(b, bytes.Repeat([]byte{0x88}, n)...)
}

func TestFrames_walk_knowsWhereFramesEnd(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536} {
		for _, masked := range []bool{false, true} {
			b := frame(2, n, masked)
			for _, piece := range []int{1, 2, 3, 7, 1000, len(b)} {
				var f frames
				for at := 0; at < len(b); at += piece {
					if at > 0 && f.between() {
						t.Fatalf("frame of %d in pieces of %d ended at %d of %d", n, piece, at, len(b))
					}
					f.walk(b[at:min(at+piece, len(b))])
				}
				if !f.between() || f.closed {
					t.Fatalf("frame of %d in pieces of %d did not end, or closed is %v", n, piece, f.closed)
				}
			}
		}
	}
}

func TestFrames_walk_noticesTheCloseFrame(t *testing.T) {
	var f frames
	f.walk(frame(1, 300, false))
	if f.closed {
		t.Error("payload was taken for a close frame")
	}
	f.walk(frame(opClose, 2, false))
	if !f.closed {
		t.Error("close frame was not noticed")
	}
}

func TestFrames_walkOut_stopsAtTheNextBoundary(t *testing.T) {
	for range 2000 {
		var stream []byte
		ends := map[int]bool{0: true}
		for range 5 {
			stream = append(stream, frame(2, rand.IntN(200), rand.IntN(2) == 0)...)
			ends[len(stream)] = true
		}
		cut := rand.IntN(len(stream))
		var f frames
		f.walk(stream[:cut])
		n := f.walkOut(stream[cut:])
		for at := cut; at < cut+n; at++ {
			if ends[at] {
				t.Fatalf("walked from %d to %d over the end at %d", cut, cut+n, at)
			}
		}
		if !ends[cut+n] || !f.between() {
			t.Fatalf("walked from %d to %d, which is no end", cut, cut+n)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(frame(1, 5, false), 3)
	f.Add(append(frame(2, 300, true), frame(8, 2, true)...), 1)
	f.Add([]byte{0x82, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3}, 2)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		piece = max(piece, 1)
		var whole, pieces frames
		whole.walk(b)
		for rest := b; len(rest) > 0; {
			n := min(piece, len(rest))
			pieces.walk(rest[:n])
			rest = rest[n:]
		}
		if whole.between() != pieces.between() || whole.closed != pieces.closed || whole.left != pieces.left {
			t.Fatalf("whole %+v, in pieces %+v", whole, pieces)
		}
	})
}
