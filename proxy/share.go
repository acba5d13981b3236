package proxy

import "sync/atomic"

// share is how many streams of one connection may hold a buffer of full size at once,
// in one direction. The others make do with a small one: a client that opens many
// streams and takes nothing costs no more than one that opens few. The zero value is
// ready, a nil share has no bound.
type share struct {
	full   atomic.Int32
	passed atomic.Int32 // how many were passed on before their body's end
}

// shares are those of both directions.
type shares struct{ down, up share }

// What a share begins with, and how many must be passed on for one more: a client that
// reads soon has a full buffer for each stream, but not for the size of their windows.
const (
	fullBuffers  = 16
	passedForOne = 16
)

// take reports whether there is a full buffer left, and counts it then.
func (s *share) take() bool {
	if s == nil || s.full.Add(1) <= fullBuffers+s.passed.Load()/passedForOne {
		return true
	}
	s.full.Add(-1)
	return false
}

// exceed counts a full buffer that there must be.
func (s *share) exceed() {
	if s != nil {
		s.full.Add(1)
	}
}

func (s *share) giveBack() {
	if s != nil {
		s.full.Add(-1)
	}
}

func (s *share) pass() {
	if s != nil && s.passed.Load() < maxStreams*passedForOne {
		s.passed.Add(1)
	}
}
