package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// ErrLocked: another process writes the file.
var ErrLocked = errors.New("another process uses it")

// lockPatience is how long Acquire waits for a holder that is just ending, and
// lockInterval how often it looks.
const (
	lockPatience = time.Second
	lockInterval = 10 * time.Millisecond
)

// Lock says that this process is the one writer of a file. It ends with the
// process, however that ends.
type Lock struct{ file *os.File }

// Acquire locks path, through path.lock, which stays behind empty. It returns
// ErrLocked when another holder does not let go within a second.
func Acquire(path string) (*Lock, error) {
	f, err := os.OpenFile(path+lockSuffix, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockInterval)
	defer tick.Stop()
	for deadline := time.Now().Add(lockPatience); ; <-tick.C {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return &Lock{file: f}, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, ErrLocked), f.Close())
		}
	}
}

// Release lets another process have the file. Releasing twice is harmless.
func (l *Lock) Release() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
