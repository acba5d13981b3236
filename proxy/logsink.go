package proxy

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"upfront/internal/logfield"
)

// The bounds of a logSink.
const (
	sinkFlush = 200 * time.Millisecond // the oldest line waits this long at most
	sinkBatch = 64 << 10               // bytes that are written at once; more for a longer line
	sinkMost  = 4 << 20                // bytes that wait at most; then lines are dropped
	sinkSpare = 2                      // batches that are kept for later
	sinkTail  = time.Second            // for the last lines at the end
)

// logSink takes log lines without ever making a request wait: they gather in
// batches in memory, one goroutine writes them, and when the writer is stuck and
// the memory full, lines are dropped and counted.
type logSink struct {
	w          io.Writer
	log        *zap.Logger
	dropped    atomic.Uint64
	complained seldom
	wake       chan struct{} // of capacity 1; a batch is full, the writer rests or the end has come
	complaint  chan error    // of capacity 1; to be said that lines are dropped, and why if a write failed

	// mu is held to copy one line: a fifth of what it takes to render it.
	mu      sync.Mutex
	filling []byte   // guarded by mu; whole lines, nil while there is none
	full    [][]byte // guarded by mu; batches that wait to be written, the oldest first
	spare   [][]byte // guarded by mu; written batches, at most sinkSpare
	held    int      // guarded by mu; the size of all that was not written
	rests   bool     // guarded by mu; the writer waits for a line, however long
	closed  bool     // guarded by mu; the end has come
}

func newLogSink(w io.Writer, log *zap.Logger) *logSink {
	return &logSink{w: w, log: log, wake: make(chan struct{}, 1), complaint: make(chan error, 1)}
}

// add takes one line or drops it; it never blocks. It keeps a copy.
func (s *logSink) add(line []byte) {
	s.mu.Lock()
	fits := len(line) <= cap(s.filling)-len(s.filling)
	if s.closed || !fits && !s.turn(len(line)) {
		s.mu.Unlock()
		s.drop(1, nil)
		return
	}
	s.filling = append(s.filling, line...)
	wake := s.rests || !fits && len(s.full) > 0
	s.rests = false
	s.mu.Unlock()
	if wake {
		s.wakeWriter()
	}
}

// turn begins a batch that has room for size bytes, and reports whether there may
// be one. The caller holds mu.
func (s *logSink) turn(size int) bool {
	size = max(size, sinkBatch)
	if s.held+size > sinkMost {
		return false
	}
	s.held += size
	if s.filling != nil {
		s.full = append(s.full, s.filling)
	}
	if n := len(s.spare) - 1; n >= 0 && size == sinkBatch {
		s.filling, s.spare = s.spare[n], s.spare[:n]
	} else {
		s.filling = make([]byte, 0, size)
	}
	return true
}

func (s *logSink) wakeWriter() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// drop counts lines that are lost, and has it said seldom, by run: the log may be
// as stuck as we are.
func (s *logSink) drop(lines int, why error) {
	s.dropped.Add(uint64(lines))
	s.complain(why)
}

func (s *logSink) complain(why error) {
	if s.complained.due(time.Minute) {
		select {
		case s.complaint <- why:
		default:
		}
	}
}

// run writes lines until ctx ends, and then what is left, as far as the writer
// takes it within sinkTail.
func (s *logSink) run(ctx context.Context) {
	// The writer may block for ever; then it is left behind, and ends when the write
	// does or with the process.
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.writeAll()
	}()
	for {
		select {
		case why := <-s.complaint:
			s.log.Warn("Access log does not keep up", zap.Uint64("dropped", s.dropped.Load()), logfield.Error(why))
		case <-ctx.Done():
			s.finish(done)
			return
		}
	}
}

// writeAll writes batches as they fill and whatever waits every sinkFlush. After
// such a time without a line it rests, and then writes the next line at once.
func (s *logSink) writeAll() {
	flush := time.NewTicker(sinkFlush)
	defer flush.Stop()
	for everything := true; ; {
		wrote := false
		for batch := s.take(everything); batch != nil; batch = s.take(everything) {
			s.write(batch, flush.C)
			s.giveBack(batch)
			wrote = true
		}
		rests, ended := s.rest(everything && !wrote)
		switch {
		case ended:
			return
		case rests:
			<-s.wake
			flush.Reset(sinkFlush)
			everything = true
			continue
		}
		select {
		case <-s.wake:
			everything = s.ending()
		case <-flush.C:
			everything = true
		}
	}
}

// take returns the oldest full batch; when there is none and everything is to be
// written, the one that is being filled; else nil.
func (s *logSink) take(everything bool) (batch []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.full) > 0:
		batch = s.full[0]
		s.full = slices.Delete(s.full, 0, 1)
	case everything && len(s.filling) > 0:
		batch, s.filling = s.filling, nil
	}
	return batch
}

// giveBack makes room for another batch.
func (s *logSink) giveBack(batch []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held -= cap(batch)
	if cap(batch) == sinkBatch && len(s.spare) < sinkSpare {
		s.spare = append(s.spare, batch[:0])
	}
}

// rest reports whether the writer rests until the next line, if it wants to, and
// whether it has ended.
func (s *logSink) rest(wants bool) (rests, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	empty := len(s.full) == 0 && len(s.filling) == 0
	s.rests = wants && empty && !s.closed
	return s.rests, empty && s.closed
}

func (s *logSink) ending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// write writes batch to its end. What a failed write leaves is tried again at each
// tick, so that lines stay whole and a disk that was full for a while costs none;
// at the end, it is lost.
func (s *logSink) write(batch []byte, tick <-chan time.Time) {
	for len(batch) > 0 {
		last := s.ending() // asked first, so that there is an attempt after the end
		n, err := s.w.Write(batch)
		batch = batch[n:]
		if err == nil {
			continue
		}
		if last {
			s.drop(bytes.Count(batch, lineFeed), err)
			return
		}
		s.complain(err)
		select {
		case <-tick:
		case <-s.wake:
		}
	}
}

var lineFeed = []byte("\n")

// finish has the writer write what is left, and counts what it could not.
func (s *logSink) finish(done <-chan struct{}) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wakeWriter()
	tail := time.NewTimer(sinkTail)
	defer tail.Stop()
	before := s.dropped.Load()
	select {
	case <-done:
	case <-tail.C:
		for batch := s.take(true); batch != nil; batch = s.take(true) {
			s.dropped.Add(uint64(bytes.Count(batch, lineFeed)))
		}
	}
	if lost := s.dropped.Load() - before; lost > 0 {
		s.log.Warn("Access log lines lost at the end", zap.Uint64("lines", lost))
	}
}
