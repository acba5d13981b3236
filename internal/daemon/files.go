package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// writable reports whether we may make files in a folder that is there.
func writable(folder string) bool {
	return unix.Access(folder, unix.W_OK|unix.X_OK) == nil
}

// makeFolder makes the folder of a file that we write.
func makeFolder(file, flag string) error {
	folder := filepath.Dir(file)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make folder %s: %w: choose another place with %s", folder, err, flag)
	}
	return nil
}

// logFile is a log that can be moved away: Reopen starts a new file of the same
// name.
type logFile struct {
	path string

	mu   sync.Mutex
	file *os.File // guarded by mu
}

func openLogFile(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.Reopen()
}

// Reopen opens the path again; lines written before are in the old file. On an
// error the old file stays.
func (l *logFile) Reopen() error {
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640) //nolint:gosec // The operator names the file, and log shippers of our group read it.
	if err != nil {
		return fmt.Errorf("open access log: %w: choose another file with --access-log", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.file
	l.file = file
	if old != nil {
		return old.Close()
	}
	return nil
}

// Write appends whole lines.
func (l *logFile) Write(lines []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Write(lines)
}

func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
