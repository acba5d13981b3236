package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rotate moves the log away, as logrotate does, and has it opened again.
func rotate(t *testing.T, l *logFile, n int) {
	t.Helper()
	must(t, os.Rename(l.path, l.path+"."+strconv.Itoa(n)))
	must(t, l.Reopen())
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

func newLogFile(t *testing.T) *logFile {
	t.Helper()
	l, err := openLogFile(filepath.Join(t.TempDir(), "access.log"))
	must(t, err)
	return l
}

func TestLogFile_Reopen_losesNoLineAndCutsNone(t *testing.T) {
	l := newLogFile(t)
	const lines, turns = 3000, 30
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := range lines {
			if _, err := l.Write(fmt.Appendf(nil, "%d a\n%d b\n", n, n)); err != nil {
				t.Errorf("write: %v", err)
			}
		}
	})
	for n := range turns {
		rotate(t, l, n)
	}
	writing.Wait()
	must(t, l.Close())
	var all strings.Builder
	for n := range turns {
		text := contents(t, l.path+"."+strconv.Itoa(n))
		if text != "" && !strings.HasSuffix(text, "\n") {
			t.Errorf("file %d ends within a line: %.40q", n, text[max(len(text)-40, 0):])
		}
		all.WriteString(text)
	}
	all.WriteString(contents(t, l.path))
	var want strings.Builder
	for n := range lines {
		fmt.Fprintf(&want, "%d a\n%d b\n", n, n)
	}
	if all.String() != want.String() {
		t.Errorf("got %d bytes in all files, want %d", all.Len(), want.Len())
	}
}

func TestLogFile_Reopen_leavesTheRestOfALineToTheOldFile(t *testing.T) {
	l := newLogFile(t)
	_, err := l.Write([]byte("one\ntw")) // what fits on the disk
	must(t, err)
	rotate(t, l, 1)
	n, err := l.Write([]byte("o\nthree\n"))
	must(t, err)
	must(t, l.Close())
	if n != len("o\nthree\n") {
		t.Errorf("wrote %d", n)
	}
	if got, want := contents(t, l.path+".1"), "one\ntwo\n"; got != want {
		t.Errorf("the old file has %q, want %q", got, want)
	}
	if got, want := contents(t, l.path), "three\n"; got != want {
		t.Errorf("the new file has %q, want %q", got, want)
	}
}

func TestLogFile_Reopen_startsWithAWholeLineThoughTheOldFileFails(t *testing.T) {
	l := newLogFile(t)
	_, err := l.Write([]byte("one\ntw"))
	must(t, err)
	must(t, l.file.Close()) // stands for a disk that is gone
	rotate(t, l, 1)
	if n, _ := l.Write([]byte("o\nthree\n")); n != len("o\nthree\n") {
		t.Errorf("wrote %d", n)
	}
	must(t, l.Close())
	if got, want := contents(t, l.path), "three\n"; got != want {
		t.Errorf("the new file has %q, want %q", got, want)
	}
}

// A pipe that nobody reads must neither keep us from our signals nor from ending.
func TestLogFile_aWriteThatHangsHoldsNothingUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	must(t, unix.Mkfifo(path, 0o600))
	reader, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	l, err := openLogFile(path)
	must(t, err)
	var writing sync.WaitGroup
	writing.Go(func() { _, _ = l.Write(make([]byte, 1<<20)) })
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for l.mu.TryLock() { // until the write has begun
		l.mu.Unlock()
		<-tick.C
	}
	must(t, l.Reopen())
	must(t, l.Close())
	writing.Go(func() {
		_ = reader.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 1<<20)
		for total := 0; total < len(b); {
			n, err := reader.Read(b)
			if total += n; err != nil {
				return
			}
		}
		_ = reader.Close()
	})
	writing.Wait()
	must(t, l.Close())
}
