package http2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"
)

// raw makes a frame.
func raw(kind, flags byte, stream uint32, payload ...byte) []byte {
	n := len(payload)
	b := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(b[5:], stream)
	return append(b, payload...)
}

const (
	framePriority = 0x2
	frameSettings = 0x4
	flagAck       = 0x1
)

// clock is the time of a test.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

func newTestWatch(lenient bool) (*Watch, *clock) {
	c := &clock{now: time.Unix(1000, 0)}
	w := NewWatch(64<<10, lenient, c.read)
	if err := w.In([]byte(Preface)); err != nil {
		panic("BUG: the preface is refused")
	}
	return w, c
}

func TestWatch_boundsWhatAClientCosts(t *testing.T) {
	reset := make([]byte, 4)
	for _, test := range []struct {
		name  string
		frame func(n uint32) (in, out []byte)
		most  int // of them that are taken
	}{
		{"rapid resets", func(n uint32) ([]byte, []byte) {
			return append(raw(frameHeaders, flagEndHeaders|flagEndStream, 2*n+1), raw(frameReset, 0, 2*n+1, 0, 0, 0, 8)...), nil
		}, resetBurst},
		{"resets that we are made to send", func(n uint32) ([]byte, []byte) {
			return raw(frameHeaders, flagEndHeaders|flagEndStream, 2*n+1), raw(frameReset, 0, 2*n+1, 0, 0, 0, 1)
		}, resetBurst},
		{"resets of what is over", func(uint32) ([]byte, []byte) { return raw(frameReset, 0, 1, reset...), nil }, controlBurst},
		{"frames for what is over", func(uint32) ([]byte, []byte) { return nil, raw(frameReset, 0, 1, 0, 0, 0, 5) }, controlBurst},
		{"pings", func(uint32) ([]byte, []byte) {
			return raw(framePing, 0, 0, make([]byte, 8)...), raw(framePing, flagAck, 0, make([]byte, 8)...)
		}, controlBurst},
		{"settings", func(uint32) ([]byte, []byte) { return raw(frameSettings, 0, 0), raw(frameSettings, flagAck, 0) }, controlBurst},
		{"priorities", func(uint32) ([]byte, []byte) { return raw(framePriority, 0, 3, 0, 0, 0, 0, 1), nil }, controlBurst},
		{"unknown frames", func(uint32) ([]byte, []byte) { return raw(0xee, 0, 0, 1, 2, 3), nil }, controlBurst},
		{"window byte by byte", func(uint32) ([]byte, []byte) {
			return raw(frameWindowUpdate, 0, 1, 0, 0, 0, 1), raw(frameData, 0, 1, 'x')
		}, controlBurst},
		{"empty data", func(uint32) ([]byte, []byte) { return raw(frameData, 0, 1), nil }, emptyBurst},
		{"data of padding", func(uint32) ([]byte, []byte) { return raw(frameData, flagPadded, 1, 2, 0, 0), nil }, emptyBurst},
		{"continuations", func(uint32) ([]byte, []byte) { return raw(frameContinuation, 0, 1, 'x'), nil }, maxContinuations},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, _ := newTestWatch(false)
			got := 0
			for n := range uint32(100_000) {
				in, out := test.frame(n)
				if errors.Join(w.In(in), w.Out(out)) != nil {
					break
				}
				got++
			}
			if got != test.most {
				t.Errorf("got %d taken, want %d", got, test.most)
			}
		})
	}
}

func TestWatch_letsHonestClientsBe(t *testing.T) {
	answer := bytes.Repeat([]byte("x"), 1000)
	for _, test := range []struct {
		name string
		each func(w *Watch, n uint32) error
	}{
		{"requests with acknowledged answers", func(w *Watch, n uint32) error {
			id := 2*n + 1
			return errors.Join(
				w.In(raw(frameHeaders, flagEndHeaders|flagEndStream, id)),
				w.Out(append(raw(frameHeaders, flagEndHeaders, id), raw(frameData, flagEndStream, id, answer...)...)),
				w.In(raw(frameWindowUpdate, 0, 0, 0, 0, 3, 232)), w.In(raw(frameWindowUpdate, 0, id, 0, 0, 3, 232)),
				w.In(raw(framePing, 0, 0, make([]byte, 8)...)),
			)
		}},
		{"as many resets as answers", func(w *Watch, n uint32) error {
			id := 4*n + 1
			return errors.Join(
				w.In(raw(frameHeaders, flagEndHeaders|flagEndStream, id)), w.Out(raw(frameHeaders, flagEndHeaders|flagEndStream, id)),
				w.In(raw(frameHeaders, flagEndHeaders|flagEndStream, id+2)), w.In(raw(frameReset, 0, id+2, 0, 0, 0, 8)),
			)
		}},
		{"targets that break off", func(w *Watch, n uint32) error {
			return errors.Join(w.In(raw(frameHeaders, flagEndHeaders|flagEndStream, 2*n+1)), w.Out(raw(frameReset, 0, 2*n+1, 0, 0, 0, 2)))
		}},
		{"early answers", func(w *Watch, n uint32) error {
			return errors.Join(w.In(raw(frameHeaders, flagEndHeaders, 2*n+1)),
				w.Out(raw(frameHeaders, flagEndHeaders|flagEndStream, 2*n+1)), w.Out(raw(frameReset, 0, 2*n+1, 0, 0, 0, 0)))
		}},
		{"small messages, each of which measures the way", func(w *Watch, _ uint32) error {
			return errors.Join(w.Out(raw(frameData, 0, 1, 'x')), w.In(raw(framePing, 0, 0, make([]byte, 8)...)))
		}},
		{"uploads in small pieces", func(w *Watch, _ uint32) error { return w.In(raw(frameData, 0, 1, 'x')) }},
		{"long heads", func(w *Watch, n uint32) error {
			err := w.In(raw(frameHeaders, 0, 2*n+1, answer...))
			for range maxContinuations {
				err = errors.Join(err, w.In(raw(frameContinuation, 0, 2*n+1, answer...)))
			}
			return errors.Join(err, w.Out(raw(frameHeaders, flagEndStream, 2*n+1)))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, _ := newTestWatch(false)
			for n := range uint32(5000) {
				if err := test.each(w, n); err != nil {
					t.Fatalf("after %d: %v", n, err)
				}
			}
		})
	}
}

// A client may let its application read late, and in pieces.
func TestWatch_letsLargeAnswersBeAcknowledgedLate(t *testing.T) {
	w, _ := newTestWatch(false)
	frame := raw(frameData, 0, 1, make([]byte, 16<<10)...)
	const frames = 4096
	for range frames {
		if err := w.Out(frame); err != nil {
			t.Fatal(err)
		}
	}
	for n := range frames * 4 { // for each 4 KB, of the stream and of the connection
		if err := errors.Join(w.In(raw(frameWindowUpdate, 0, 1, 0, 0, 16, 0)), w.In(raw(frameWindowUpdate, 0, 0, 0, 0, 16, 0))); err != nil {
			t.Fatalf("after %d of %d: %v", n, frames*4, err)
		}
	}
	got := 0
	for w.In(raw(frameWindowUpdate, 0, 1, 0, 0, 0, 1)) == nil {
		got++
	}
	if most := frames*16 - frames*8 + controlBurst; got > most {
		t.Errorf("%d more are taken, want at most %d", got, most)
	}
}

func TestWatch_budgetsGrowWithTime(t *testing.T) {
	w, clock := newTestWatch(false)
	settings := raw(frameSettings, 0, 0)
	taken := func() (n int) {
		for w.In(settings) == nil {
			n++
		}
		return n
	}
	if got := taken(); got != controlBurst {
		t.Fatalf("got %d at once, want %d", got, controlBurst)
	}
	clock.now = clock.now.Add(2 * time.Second)
	if got := taken(); got != 2*controlRate {
		t.Errorf("got %d after two seconds, want %d", got, 2*controlRate)
	}
	clock.now = clock.now.Add(time.Hour)
	if got := taken(); got != controlBurst {
		t.Errorf("got %d after an hour, want no more than %d", got, controlBurst)
	}
}

func TestWatch_sizeOfAHeadHoldsForProxiesToo(t *testing.T) {
	w, _ := newTestWatch(true)
	for range 10_000 {
		if err := w.In(raw(framePing, 0, 0, make([]byte, 8)...)); err != nil {
			t.Fatal("a lenient watch has a budget")
		}
	}
	for range maxContinuations + 1 {
		if w.In(raw(frameContinuation, 0, 1)) != nil {
			return
		}
	}
	t.Error("a lenient watch takes heads without end")
}

// Wherever the bytes are cut, the verdicts are the same.
func TestWatch_doesNotCareHowBytesArrive(t *testing.T) {
	var in, out []byte
	for n := range uint32(50) {
		in = append(in, raw(frameHeaders, flagEndHeaders, 2*n+1, 1, 2, 3)...)
		in = append(in, raw(frameData, flagPadded, 2*n+1, 1, 'x', 0)...)
		in = append(in, raw(frameData, flagEndStream, 2*n+1)...)
		if n%3 == 0 {
			in = append(in, raw(frameReset, 0, 2*n+1, 0, 0, 0, 8)...)
			continue
		}
		out = append(out, raw(frameHeaders, flagEndHeaders, 2*n+1, 9, 9)...)
		if n%3 == 1 {
			out = append(out, raw(frameData, flagEndStream, 2*n+1, bytes.Repeat([]byte("y"), 40)...)...)
		}
	}
	for _, size := range []int{1, 2, 3, 7, 9, 10, 13, 100, 1 << 20} {
		w, _ := newTestWatch(false)
		for b := in; len(b) > 0; b = b[min(size, len(b)):] {
			if err := w.In(b[:min(size, len(b))]); err != nil {
				t.Fatal(err)
			}
		}
		for b := out; len(b) > 0; b = b[min(size, len(b)):] {
			if err := w.Out(b[:min(size, len(b))]); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.Open(); got != 16 || w.Last() != 99 || !w.Between() || w.resets.left != resetBurst {
			t.Errorf("in pieces of %d: got %d open, last %d, between %v, %d resets left", size, got, w.Last(), w.Between(), w.resets.left)
		}
		if w.Out(raw(frameData, 0, 1, 'x')[:9]); w.Between() {
			t.Errorf("in pieces of %d: between frames, with half of one", size)
		}
	}
}

func TestWatch_doneOnceAllAnswersAreOut(t *testing.T) {
	w, _ := newTestWatch(false)
	_ = w.In(raw(frameHeaders, flagEndHeaders|flagEndStream, 1))
	if w.Done() {
		t.Error("done before a GOAWAY")
	}
	_ = w.Out(AppendGoAway(nil, 1, NoError))
	if w.Done() {
		t.Error("done with a stream open")
	}
	_ = w.Out(raw(frameHeaders, flagEndStream, 1))
	if !w.Done() {
		t.Error("not done with everything said")
	}
}

func FuzzWatch(f *testing.F) {
	f.Add(raw(frameHeaders, 0, 1, 1, 2, 3), byte(3))
	f.Add(raw(frameReset, 0, 1, 0, 0, 0, 8), byte(1))
	f.Add(raw(frameData, flagPadded, 1, 9), byte(2))
	f.Fuzz(func(t *testing.T, b []byte, size byte) {
		whole, _ := newTestWatch(false)
		cut, _ := newTestWatch(false)
		want := errors.Join(whole.In(b), whole.Out(b)) != nil
		got := false
		n := int(size) + 1
		for rest := b; len(rest) > 0 && !got; rest = rest[min(n, len(rest)):] {
			got = cut.In(rest[:min(n, len(rest))]) != nil
		}
		for rest := b; len(rest) > 0 && !got; rest = rest[min(n, len(rest)):] {
			got = cut.Out(rest[:min(n, len(rest))]) != nil
		}
		if got != want {
			t.Errorf("in pieces of %d: got calm %v, want %v", n, got, want)
		}
		if !want && (whole.Open() != cut.Open() || whole.Between() != cut.Between()) {
			t.Errorf("in pieces of %d: got %d open, want %d", n, cut.Open(), whole.Open())
		}
	})
}
