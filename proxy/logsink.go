package proxy

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of a logSink.
const (
	sinkFlush = 200 * time.Millisecond // the oldest line waits this long at most
	sinkFull  = 64 << 10               // bytes that are written at once
	sinkMost  = 4 << 20                // bytes that wait at most; then lines are dropped
	sinkTail  = time.Second            // for the last lines at the end
)

// logSink takes log lines without ever making a request wait: they gather in
// memory, one goroutine writes them, and when the writer is stuck and the memory
// full, lines are dropped and counted.
type logSink struct {
	w       io.Writer
	dropped atomic.Uint64
	wake    chan struct{} // of capacity 1: enough to write at once

	mu     sync.Mutex
	lines  []byte // guarded by mu; whole lines that wait
	spare  []byte // guarded by mu; storage to swap in
	closed bool   // guarded by mu; run has ended
}

func newLogSink(w io.Writer) *logSink {
	return &logSink{w: w, wake: make(chan struct{}, 1)}
}

// Write takes one line or drops it; it never fails and never blocks.
func (s *logSink) Write(line []byte) (int, error) {
	s.mu.Lock()
	if s.closed || len(s.lines)+len(line) > sinkMost {
		s.mu.Unlock()
		s.dropped.Add(1)
		return len(line), nil
	}
	before := len(s.lines)
	s.lines = append(s.lines, line...)
	full := before < sinkFull && len(s.lines) >= sinkFull
	s.mu.Unlock()
	if full {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}

// run writes lines until ctx ends, and then what is left, as far as the writer
// takes it within sinkTail.
func (s *logSink) run(ctx context.Context) {
	tick := time.NewTicker(sinkFlush)
	defer tick.Stop()
	// The writer may block for ever; then it is left behind in a goroutine of its
	// own, which ends when the write does or with the process.
	batches, written := make(chan []byte), make(chan struct{}, 1)
	go writeBatches(s.w, batches, written)
	defer close(batches)
	for busy := false; ; {
		select {
		case <-ctx.Done():
			s.finish(batches, written, busy)
			return
		case <-written:
			busy = false
			if !s.more() {
				continue
			}
		case <-tick.C:
		case <-s.wake:
		}
		if busy {
			continue
		}
		if batch := s.take(); len(batch) > 0 {
			batches <- batch
			busy = true
		}
	}
}

func writeBatches(w io.Writer, batches <-chan []byte, written chan<- struct{}) {
	for batch := range batches {
		_, _ = w.Write(batch) // there is nowhere to say that the log cannot be written
		written <- struct{}{}
	}
}

// more reports whether another full batch waits.
func (s *logSink) more() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lines) >= sinkFull
}

// take swaps the waiting lines out. The batch is valid until the next take but
// one.
func (s *logSink) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.lines
	s.lines, s.spare = s.spare[:0], batch
	return batch
}

func (s *logSink) finish(batches chan<- []byte, written <-chan struct{}, busy bool) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	tail := time.NewTimer(sinkTail)
	defer tail.Stop()
	for {
		if busy {
			select {
			case <-written:
			case <-tail.C:
				return
			}
		}
		batch := s.take()
		if len(batch) == 0 {
			return
		}
		batches <- batch
		busy = true
	}
}
