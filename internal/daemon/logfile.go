package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// logFile is a log that can be moved away: Reopen starts a new file of the same
// name. Lines stay whole, each in one file.
type logFile struct {
	path string
	next atomic.Pointer[os.File] // opened by Reopen, until it takes the place of file

	mu   sync.Mutex // held while a write is under way, which a pipe may make last for ever
	file *os.File   // guarded by mu
	cut  bool       // guarded by mu; the last write failed within a line, and the rest comes next
}

func openLogFile(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.Reopen()
}

// Reopen opens the path again; lines written before are in the old file. On an
// error the old file stays. It does not wait for a write that is under way: the next
// one goes to the new file then.
func (l *logFile) Reopen() error {
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640) //nolint:gosec // The operator names the file, and log shippers of our group read it.
	if err != nil {
		return fmt.Errorf("open access log: %w: choose another file with --access-log", err)
	}
	skipped := l.next.Swap(file)
	if l.mu.TryLock() {
		defer l.mu.Unlock()
		if !l.cut {
			err = l.follow()
		}
	}
	if skipped != nil {
		err = errors.Join(err, skipped.Close())
	}
	return err
}

// Write appends whole lines, or what an earlier Write left of them.
func (l *logFile) Write(lines []byte) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut && l.next.Load() != nil {
		// The rest of a line belongs to its beginning. Where there is no room for it
		// still, it is lost: in the new file it would be no line.
		n = bytes.IndexByte(lines, '\n') + 1
		_, _ = l.append(lines[:n])
	}
	closed := l.follow()
	more, err := l.append(lines[n:])
	return n + more, errors.Join(closed, err)
}

// append writes to the present file. The caller holds mu.
func (l *logFile) append(lines []byte) (int, error) {
	n, err := l.file.Write(lines)
	if n > 0 {
		l.cut = lines[n-1] != '\n'
	}
	return n, err
}

// follow goes on to the file that Reopen opened, if there is one. The caller holds
// mu.
func (l *logFile) follow() error {
	next := l.next.Swap(nil)
	if next == nil {
		return nil
	}
	old := l.file
	l.file, l.cut = next, false
	if old == nil {
		return nil
	}
	return old.Close()
}

// Close closes the file, unless a write is under way that never ends: it ends with
// the process.
func (l *logFile) Close() error {
	if !l.mu.TryLock() {
		return nil
	}
	defer l.mu.Unlock()
	return errors.Join(l.follow(), l.file.Close())
}
