package config

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// WatcherOptions of a Watcher.
type WatcherOptions struct {
	// Applied is the text that is live already; it is not handed over again.
	Applied []byte
	// Quiet is how long the file must not change before it is read. Default
	// 50ms.
	Quiet time.Duration
	// MaxDelay is after which time a file that never stops changing is read
	// nevertheless. Default 500ms.
	MaxDelay time.Duration
	// Doubt is how long a version that looks half written is read again before
	// it is handed over: one that Parse refuses, or that is a beginning of the
	// one before. Default 250ms.
	Doubt time.Duration
	// Poll is how often the file is looked at besides: for changes that no
	// folder reports, and for all when folders cannot be watched. Default 500ms.
	Poll time.Duration
	// OnProblem is told what a person should know and what Watcher copes with:
	// folders cannot be watched, the file is gone or cannot be read. Called from
	// Run. Nil is nobody.
	OnProblem func(error)
}

func (o WatcherOptions) withDefaults() WatcherOptions {
	orDefault := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	orDefault(&o.Quiet, 50*time.Millisecond)
	orDefault(&o.MaxDelay, 500*time.Millisecond)
	orDefault(&o.Doubt, 250*time.Millisecond)
	orDefault(&o.Poll, 500*time.Millisecond)
	if o.OnProblem == nil {
		o.OnProblem = func(error) {}
	}
	return o
}

// Watcher hands over each new version of a file, once it has been written
// completely. The file and its folders may be replaced, deleted, made again or
// not be there yet; symbolic links are followed anew each time.
type Watcher struct {
	path     string
	options  WatcherOptions
	onChange func(text []byte)
	start    func() (notifier, <-chan fsnotify.Event, <-chan error, error)

	// Below belongs to Run.
	applied  []byte   // the version before, for what is half written
	hash     [32]byte // of applied
	seen     fileSign // what the file looked like at the last look
	problem  string   // told last, "" when all is well
	first    time.Time
	last     time.Time // of the changes since the file was read; zero when none
	settling *time.Timer
}

// NewWatcher returns a watcher of path, which may be missing. onChange is called
// from Run, one call after the other; it owns text.
func NewWatcher(path string, o WatcherOptions, onChange func(text []byte)) *Watcher {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return &Watcher{
		path: path, options: o.withDefaults(), onChange: onChange, start: startNotify,
		applied: o.Applied, hash: sha256.Sum256(o.Applied),
	}
}

func startNotify() (notifier, <-chan fsnotify.Event, <-chan error, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("watch folders: %w", err)
	}
	return w, w.Events, w.Errors, nil
}

// Run watches until ctx ends, and returns nil then.
func (w *Watcher) Run(ctx context.Context) error {
	dirs := &folders{watched: map[string]os.FileInfo{}}
	notify, events, failures, err := w.start()
	if err == nil {
		defer func() { _ = notify.Close() }() // nothing to do about it
		dirs.notify = notify
		err = dirs.sync(w.path)
	}
	if err != nil {
		dirs.notify = nil
		w.options.OnProblem(fmt.Errorf("%w: the config file is looked at every %s instead", err, w.options.Poll))
	}
	poll := time.NewTicker(w.options.Poll)
	defer poll.Stop()
	w.settling = time.NewTimer(0) // a look at once: it may have changed since it was loaded
	defer w.settling.Stop()
	w.first = time.Now()
	w.last = w.first
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, ok := <-events:
			if ok && dirs.concern(event) {
				w.changed()
			}
			if !ok {
				events = nil
			}
		case err, ok := <-failures:
			if !ok {
				failures = nil
			} else if errors.Is(err, fsnotify.ErrEventOverflow) {
				w.changed()
			}
		case <-poll.C:
			if sign := signOf(w.path); !sign.same(w.seen) && w.last.IsZero() {
				w.changed()
			}
			w.follow(dirs)
		case <-w.settling.C:
			w.follow(dirs)
			w.look()
		}
	}
}

// follow watches the folders that matter now; without that, polling goes on.
func (w *Watcher) follow(dirs *folders) {
	if dirs.notify == nil {
		return
	}
	if err := dirs.sync(w.path); err != nil {
		w.tell(fmt.Errorf("%w: the config file is looked at every %s besides", err, w.options.Poll))
	}
}

// changed notes a change and puts off the look until the file is quiet, but not
// beyond MaxDelay.
func (w *Watcher) changed() {
	now := time.Now()
	if w.last.IsZero() {
		w.first = now
	}
	w.last = now
	due := min(w.options.Quiet, w.first.Add(w.options.MaxDelay).Sub(now))
	w.settling.Reset(max(due, 0))
}

// look reads the file and hands it over if it is new and whole.
func (w *Watcher) look() {
	sign := signOf(w.path)
	text, err := ReadFile(w.path)
	if !sign.same(signOf(w.path)) && w.again() {
		return
	}
	if err != nil {
		if w.again() {
			return // an editor may be about to put it back
		}
		w.settled(sign)
		w.missing(err)
		return
	}
	hash := sha256.Sum256(text)
	if hash != w.hash && w.doubtful(text) && w.again() {
		return
	}
	w.settled(sign)
	w.problem = ""
	if hash == w.hash {
		return
	}
	w.hash, w.applied = hash, bytes.Clone(text)
	w.onChange(text)
}

// again plans another look soon, unless doubts have lasted too long.
func (w *Watcher) again() bool {
	now := time.Now()
	if now.Sub(w.last) >= w.options.Doubt || now.Sub(w.first) >= w.options.MaxDelay+w.options.Doubt {
		return false
	}
	w.settling.Reset(w.options.Doubt / 8)
	return true
}

func (w *Watcher) settled(sign fileSign) {
	w.seen = sign
	w.first, w.last = time.Time{}, time.Time{}
}

// doubtful reports whether a version may be half written: an editor or a shell
// that writes in place cuts the file first, and what is cut may still be valid.
func (w *Watcher) doubtful(text []byte) bool {
	if len(text) < len(w.applied) && bytes.HasPrefix(w.applied, text) {
		return true
	}
	_, err := Parse(w.path, text)
	return err != nil
}

// missing tells once that a file that was there is gone, or cannot be read.
func (w *Watcher) missing(err error) {
	if errors.Is(err, os.ErrNotExist) && w.applied == nil {
		return // it never was there
	}
	w.tell(fmt.Errorf("%w: what it said last stays live", err))
}

func (w *Watcher) tell(err error) {
	if text := err.Error(); text != w.problem {
		w.problem = text
		w.options.OnProblem(err)
	}
}

// ReadFile reads a settings file, of which it keeps one byte more than Parse
// accepts.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read config file: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("read config file: %s is a folder", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read config file: %w", err)
	}
	return text, nil
}

// fileSign is what a file looks like from outside; nil info is a missing one.
type fileSign struct{ info os.FileInfo }

func signOf(path string) fileSign {
	info, err := os.Stat(path)
	if err != nil {
		return fileSign{}
	}
	return fileSign{info}
}

func (s fileSign) same(other fileSign) bool {
	if s.info == nil || other.info == nil {
		return s.info == nil && other.info == nil
	}
	return s.info.Size() == other.info.Size() && s.info.ModTime().Equal(other.info.ModTime()) && os.SameFile(s.info, other.info)
}
