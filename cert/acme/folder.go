package acme

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/sys/unix"

	"upfront/internal/atomicfile"
)

// Folder keeps certificates, keys and accounts in files, 0600 in folders 0700. Several
// processes of one machine may use it at once. It is made with the first write.
type Folder struct {
	root string

	mu    sync.Mutex
	locks map[string]*os.File // guarded by mu; those that we hold
}

// NewFolder returns the storage below root.
func NewFolder(root string) *Folder {
	return &Folder{root: root, locks: map[string]*os.File{}}
}

var _ certmagic.Storage = (*Folder)(nil)

// maxStored bounds what is read of a file.
const maxStored = 1 << 20

// file is where key is kept. A key never leads out of the folder.
func (f *Folder) file(key string) string {
	return filepath.Join(f.root, filepath.FromSlash(path.Clean("/"+key)))
}

// Store makes value the content of key; it survives a power cut.
func (f *Folder) Store(ctx context.Context, key string, value []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name := f.file(key)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	if err := atomicfile.Write(name, value); err != nil {
		return err
	}
	return remove(name + atomicfile.BackupSuffix) // an old key is nobody's to find
}

// Load returns the content of key, or fs.ErrNotExist.
func (f *Folder) Load(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return atomicfile.Read(f.file(key), maxStored)
}

// Delete removes key and all that is below it.
func (f *Folder) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return os.RemoveAll(f.file(key))
}

// Exists reports whether there is something under key.
func (f *Folder) Exists(_ context.Context, key string) bool {
	_, err := os.Stat(f.file(key))
	return err == nil
}

// List returns the keys below prefix.
func (f *Folder) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	var keys []string
	top := f.file(prefix)
	err := filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if name == top {
			return nil
		}
		below, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		keys = append(keys, path.Join(prefix, filepath.ToSlash(below)))
		if entry.IsDir() && !recursive {
			return fs.SkipDir
		}
		return nil
	})
	return keys, err
}

// Stat says what key is.
func (f *Folder) Stat(_ context.Context, key string) (certmagic.KeyInfo, error) {
	info, err := os.Stat(f.file(key))
	if err != nil {
		return certmagic.KeyInfo{}, err
	}
	return certmagic.KeyInfo{Key: key, Modified: info.ModTime(), Size: info.Size(), IsTerminal: !info.IsDir()}, nil
}

// lockInterval is how often a lock that another one holds is tried.
const lockInterval = 100 * time.Millisecond

// Lock waits for the lock called name. The system lets go of it when the process ends,
// however it ends.
func (f *Folder) Lock(ctx context.Context, name string) error {
	tick := time.NewTicker(lockInterval)
	defer tick.Stop()
	for {
		switch done, err := f.TryLock(ctx, name); {
		case err != nil:
			return err
		case done:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// TryLock takes the lock called name unless it is taken.
func (f *Folder) TryLock(ctx context.Context, name string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	path := f.lockFile(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, err
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, file.Close()
	}
	if err == nil && !f.isStill(path, file) { // its holder has removed it before we had it
		return false, file.Close()
	}
	if err != nil {
		return false, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.locks[name] = file
	return true, nil
}

// isStill reports whether path leads to file.
func (f *Folder) isStill(path string, file *os.File) bool {
	ours, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(ours, named)
}

// Unlock gives the lock called name free.
func (f *Folder) Unlock(_ context.Context, name string) error {
	f.mu.Lock()
	file := f.locks[name]
	delete(f.locks, name)
	f.mu.Unlock()
	if file == nil {
		return fmt.Errorf("unlock %q: it is not locked", name)
	}
	// While it is still ours, so that nobody holds a file that has no name.
	return errors.Join(remove(f.lockFile(name)), file.Close())
}

func (f *Folder) lockFile(name string) string {
	return filepath.Join(f.root, "locks", strings.ReplaceAll(certmagic.StorageKeys.Safe(name), "/", "_")+".lock")
}

func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
