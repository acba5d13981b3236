package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// runSink runs a sink in front of w; end ends it and waits for it.
func runSink(t *testing.T, w io.Writer, log *zap.Logger) (s *logSink, end func()) {
	t.Helper()
	access := NewAccessLog(w, log)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = access.Run(ctx) })
	return access.sink, func() {
		cancel()
		running.Wait()
	}
}

// stuckWriter blocks until it is let go.
type stuckWriter struct {
	entered chan struct{}
	release chan struct{}
	once    sync.Once
}

func newStuckWriter() *stuckWriter {
	return &stuckWriter{entered: make(chan struct{}), release: make(chan struct{})}
}

func (w *stuckWriter) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.entered) })
	<-w.release
	return len(p), nil
}

func TestLogSink_dropsAndCountsWhenTheWriterBlocks(t *testing.T) {
	stuck := newStuckWriter()
	core, said := observer.New(zap.WarnLevel)
	sink, end := runSink(t, stuck, zap.New(core))
	line := append(bytes.Repeat([]byte("x"), 100_000), '\n')
	sink.add(line)
	next(t, stuck.entered)
	taken := 0
	for ; sink.dropped.Load() == 0; taken++ { // never blocks, or the test hangs
		sink.add(line)
	}
	if most := sinkMost/len(line) + 1; taken > most {
		t.Errorf("took %d lines while the writer was stuck, want %d at most", taken, most)
	}
	eventually(t, "it is said that lines are dropped", func() bool { return said.Len() == 1 })
	for range 100 {
		sink.add(line)
	}
	before := sink.dropped.Load()
	end() // though the writer is stuck still
	if n := said.FilterMessage("Access log does not keep up").Len(); n != 1 {
		t.Errorf("it was said %d times that lines are dropped, want once", n)
	}
	if n := said.FilterMessage("Access log lines lost at the end").Len(); n != 1 {
		t.Errorf("it was said %d times that lines were lost at the end, want once", n)
	}
	if got, want := sink.dropped.Load(), before+uint64(taken)-1; got != want {
		t.Errorf("dropped %d, want %d: the lines that waited at the end as well", got, want)
	}
	before = sink.dropped.Load()
	sink.add(line)
	if got := sink.dropped.Load(); got != before+1 {
		t.Errorf("dropped %d, want %d: a line after the end is dropped too", got, before+1)
	}
	close(stuck.release)
}

func TestLogSink_writesAllThatCameBeforeTheEnd(t *testing.T) {
	var out lineBuffer
	sink, end := runSink(t, &out, nil)
	const lines = 20_000
	for range lines {
		sink.add([]byte("0123456789\n"))
	}
	end()
	if got := strings.Count(out.String(), "0123456789\n"); got != lines || sink.dropped.Load() != 0 {
		t.Errorf("wrote %d lines of %d, dropped %d", got, lines, sink.dropped.Load())
	}
}

func TestLogSink_keepsLinesOfManyWhole(t *testing.T) {
	var out lineBuffer
	sink, end := runSink(t, &out, nil)
	const clients, lines = 8, 500
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			for n := range lines {
				long := 1 + n%400
				if n == 99 {
					long = 3 * sinkBatch // longer than a batch
				}
				sink.add(fmt.Appendf(nil, "%d %d %s\n", client, n, strings.Repeat("x", long)))
			}
		})
	}
	all.Wait()
	end()
	var seen [clients]int
	for line := range strings.Lines(out.String()) {
		var client, n int
		var rest string
		if _, err := fmt.Sscanf(line, "%d %d %s\n", &client, &n, &rest); err != nil || strings.Trim(rest, "x") != "" {
			t.Fatalf("got a line %.60q: %v", line, err)
		}
		if n != seen[client] {
			t.Fatalf("client %d: got line %d, want %d", client, n, seen[client])
		}
		seen[client]++
	}
	for client, n := range seen {
		if n != lines {
			t.Errorf("client %d: got %d lines, want %d; %d were dropped", client, n, lines, sink.dropped.Load())
		}
	}
}

// timedWriter notes when what was written.
type timedWriter struct {
	began time.Time
	wrote []string
}

func (w *timedWriter) Write(p []byte) (int, error) {
	w.wrote = append(w.wrote, fmt.Sprintf("%v %s", time.Since(w.began), p))
	return len(p), nil
}

func TestLogSink_writesTheFirstLineAtOnceAndOthersSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &timedWriter{began: time.Now()}
		sink, end := runSink(t, w, nil)
		after := func(d time.Duration, line string) {
			<-time.After(d)
			sink.add([]byte(line))
			synctest.Wait()
		}
		after(time.Hour, "a")
		after(10*time.Millisecond, "b")
		after(10*time.Millisecond, "c")
		after(time.Second, "d")
		<-time.After(time.Second)
		end()
		want := []string{"1h0m0s a", "1h0m0.2s bc", "1h0m1.02s d"}
		if fmt.Sprint(w.wrote) != fmt.Sprint(want) {
			t.Errorf("got %q, want %q", w.wrote, want)
		}
	})
}

// fullDisk takes so many bytes and no more, until there is room again.
type fullDisk struct {
	mu   sync.Mutex
	room int
	lineBuffer
}

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(d.room, len(p))
	d.room -= n
	_, _ = d.lineBuffer.Write(p[:n])
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestLogSink_writesTheRestOnceTheDiskHasRoom(t *testing.T) {
	disk := &fullDisk{room: 12}
	core, said := observer.New(zap.WarnLevel)
	sink, end := runSink(t, disk, zap.New(core))
	const lines = 20_000
	for range lines {
		sink.add([]byte("0123456789\n"))
	}
	eventually(t, "it is said that the disk is full", func() bool { return said.Len() == 1 })
	if got := said.All()[0].ContextMap()["error"]; got != errFull.Error() {
		t.Errorf("said %v, want %v", got, errFull)
	}
	disk.mu.Lock()
	disk.room = 1 << 30
	disk.mu.Unlock()
	end()
	if got := disk.String(); got != strings.Repeat("0123456789\n", lines) || sink.dropped.Load() != 0 {
		t.Errorf("wrote %d bytes of %d, dropped %d lines", len(got), 11*lines, sink.dropped.Load())
	}
}

func TestLogSink_countsWhatAFailingWriterLeavesAtTheEnd(t *testing.T) {
	disk := &fullDisk{room: 12}
	sink, end := runSink(t, disk, nil)
	const lines = 20_000
	for range lines {
		sink.add([]byte("0123456789\n"))
	}
	end()
	if got, want := sink.dropped.Load(), uint64(lines-1); got != want {
		t.Errorf("dropped %d, want %d", got, want)
	}
}

func TestLogSink_givesTheMemoryOfAStallBack(t *testing.T) {
	stuck := newStuckWriter()
	sink, end := runSink(t, stuck, nil)
	line := append(bytes.Repeat([]byte("x"), 1000), '\n')
	sink.add(line)
	next(t, stuck.entered)
	for sink.dropped.Load() == 0 {
		sink.add(line)
	}
	close(stuck.release)
	eventually(t, "everything is written", func() bool {
		sink.mu.Lock()
		defer sink.mu.Unlock()
		return sink.held == 0 && len(sink.spare) == sinkSpare
	})
	end()
}

func BenchmarkLogSink_add(b *testing.B) {
	sink := newLogSink(io.Discard, zap.NewNop())
	line := append(bytes.Repeat([]byte("x"), 599), '\n')
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			sink.add(line)
			throwAway(sink)
		}
	})
	b.StopTimer()
	if n := sink.dropped.Load(); n > 0 {
		b.Errorf("dropped %d lines", n)
	}
}

// throwAway plays the writer of a sink that does not run.
func throwAway(s *logSink) {
	select {
	case <-s.wake:
		for batch := s.take(false); batch != nil; batch = s.take(false) {
			s.giveBack(batch)
		}
	default:
	}
}
