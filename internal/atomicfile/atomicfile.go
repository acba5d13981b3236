// Package atomicfile keeps one file such that a reader finds either what was
// there before or what was written, whole, also after a crash or a power cut.
//
// Beside FILE there may be FILE.bak (what FILE was before), FILE.tmp (a write
// that a crash cut short), FILE.bad (what SetAside moved away) and FILE.lock.
// There must be one writer at a time; Lock says who.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// The names beside a file.
const (
	BackupSuffix = ".bak"
	badSuffix    = ".bad"
	tempSuffix   = ".tmp"
	lockSuffix   = ".lock"
)

// maxBad is how many damaged files are kept; more of them would fill a disk.
const maxBad = 10

// ErrTooLarge: the file is larger than the caller wants to read.
var ErrTooLarge = errors.New("file is too large")

// Read returns the content of path, or ErrTooLarge when it has more than limit
// bytes.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %s: %w", path, ErrTooLarge)
	}
	return data, nil
}

// Write makes data the content of path, readable by the owner only, and returns
// once it would survive a power cut. The content before becomes path.bak. At
// every moment there is a whole file under path, unless there was none before.
func Write(path string, data []byte) (err error) {
	// First, because it can fail (no descriptor is left), and who is told of an
	// error must find the content before.
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	temp := path + tempSuffix
	if err := writeNew(temp, data); err != nil {
		return err
	}
	if err := backUp(path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return folder.Sync()
}

// writeNew writes a file that must not exist, so that nobody can have put a link
// there to make us write elsewhere.
func writeNew(path string, data []byte) (err error) {
	// What a crash left behind is worth nothing.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// backUp gives the content of path a second name, without a moment at which it
// has none.
func backUp(path string) error {
	spare := path + BackupSuffix + tempSuffix
	if err := os.Remove(spare); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := os.Link(path, spare)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil { // a file system without hard links
		if err := copyFile(path, spare); err != nil {
			return err
		}
	}
	return os.Rename(spare, path+BackupSuffix)
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeNew(to, data)
}

// SetAside moves a damaged file out of the way of the next Write, to path.bad or,
// when there is one already, path.bad.1 to path.bad.9, and returns where it is
// now.
func SetAside(path string) (string, error) {
	kept, err := spareName(path)
	if err != nil {
		return "", err
	}
	if err := os.Rename(path, kept); err != nil {
		return "", err
	}
	return kept, syncFolder(path)
}

// KeepCopy leaves path where it is and keeps its content under a name as
// SetAside's.
func KeepCopy(path string) (string, error) {
	kept, err := spareName(path)
	if err != nil {
		return "", err
	}
	if err := os.Link(path, kept); err == nil {
		return kept, nil
	}
	return kept, copyFile(path, kept)
}

// Aside returns where a damaged file of the name path is kept; ok is false when
// there is none.
func Aside(path string) (kept string, ok bool) {
	kept = path + badSuffix
	_, err := os.Lstat(kept)
	return kept, err == nil
}

func spareName(path string) (string, error) {
	name := path + badSuffix
	for i := 1; i < maxBad; i++ {
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		name = path + badSuffix + "." + strconv.Itoa(i)
	}
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	return "", fmt.Errorf("keep %s: %d damaged files are kept already: look at %s%s* and remove them",
		path, maxBad, path, badSuffix)
}

// syncFolder makes the names in the folder of path survive a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
