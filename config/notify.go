package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// notifier reports changes in folders; fsnotify.Watcher is one.
type notifier interface {
	Add(folder string) error
	Remove(folder string) error
	Close() error
}

// folders are the watched folders of one file. Only Watcher.Run uses it.
type folders struct {
	notify  notifier
	watched map[string]os.FileInfo // by real path: the folder as it was then
	names   map[string]map[string]bool
}

// sync watches the folders that matter for path now, and no others. A folder
// that was replaced by another of its name is watched anew.
func (f *folders) sync(path string) error {
	f.names = links(path)
	for folder, before := range f.watched {
		now, err := os.Stat(folder)
		if err == nil && f.names[folder] != nil && os.SameFile(before, now) {
			continue
		}
		// The kernel may have ended it already, with the folder.
		if err := f.notify.Remove(folder); err != nil && !errors.Is(err, fsnotify.ErrNonExistentWatch) {
			return fmt.Errorf("stop watching %s: %w", folder, err)
		}
		delete(f.watched, folder)
	}
	for folder := range f.names {
		if f.watched[folder] != nil {
			continue
		}
		info, err := os.Stat(folder)
		if err != nil {
			continue // gone since; the next look sees that
		}
		if err := f.notify.Add(folder); err != nil {
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			return fmt.Errorf("watch %s: %w", folder, err)
		}
		f.watched[folder] = info
	}
	return nil
}

// concern reports whether an event may change what the file says.
func (f *folders) concern(event fsnotify.Event) bool {
	if event.Op == fsnotify.Chmod {
		return false
	}
	if f.watched[event.Name] != nil {
		return true // the folder itself was moved or removed
	}
	return f.names[filepath.Dir(event.Name)][filepath.Base(event.Name)]
}
