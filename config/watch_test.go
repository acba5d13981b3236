package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits before it gives up; it never waits that long
// when the code is right.
const patience = 10 * time.Second

type watching struct {
	t        *testing.T
	path     string
	texts    chan string
	problems chan error
}

// watch runs a watcher of path until the test ends.
func watch(t *testing.T, path string, o WatcherOptions, change ...func(*Watcher)) *watching {
	t.Helper()
	w := &watching{t: t, path: path, texts: make(chan string, 10_000), problems: make(chan error, 100)}
	o.OnProblem = func(err error) { w.problems <- err }
	watcher := NewWatcher(path, o, func(text []byte) { w.texts <- string(text) })
	for _, c := range change {
		c(watcher)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- watcher.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("got %v from Run, want nil", err)
		}
	})
	return w
}

// next returns the version that is handed over next.
func (w *watching) next() string {
	w.t.Helper()
	select {
	case text := <-w.texts:
		return text
	case <-time.After(patience):
		w.t.Fatal("nothing was handed over")
		return ""
	}
}

func (w *watching) wants(want string) {
	w.t.Helper()
	if got := w.next(); got != want {
		w.t.Fatalf("got %q, want %q", got, want)
	}
}

func (w *watching) wantsNothingMore() {
	w.t.Helper()
	select {
	case text := <-w.texts:
		w.t.Errorf("got %q, want nothing", text)
	default:
	}
}

func version(n int) string { return fmt.Sprintf("x-version: %d\n", n) }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace writes a new file and renames it over path, as editors do.
func replace(t *testing.T, path, text string) {
	t.Helper()
	write(t, path+".tmp", text)
	must(t, os.Rename(path+".tmp", path))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWatcher_seesEveryWayToChangeAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conf", "proxy.yml")
	folder := filepath.Dir(path)
	w := watch(t, path, WatcherOptions{})

	must(t, os.Mkdir(folder, 0o700)) // after the start
	write(t, path, version(1))
	w.wants(version(1))
	write(t, path, version(2))
	w.wants(version(2))
	replace(t, path, version(3))
	w.wants(version(3))
	must(t, os.Remove(path))
	write(t, path, version(4))
	w.wants(version(4))
	must(t, os.RemoveAll(folder))
	must(t, os.Mkdir(folder, 0o700))
	write(t, path, version(5))
	w.wants(version(5))
	must(t, os.Rename(folder, folder+".old"))
	must(t, os.Mkdir(folder, 0o700))
	write(t, path, version(6))
	w.wants(version(6))
	write(t, path, version(7))
	w.wants(version(7))
	w.wantsNothingMore()
}

func TestWatcher_followsSwapsOfKubernetes(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "proxy.yml")
	swap := func(n int) {
		t.Helper()
		data := filepath.Join(folder, fmt.Sprintf("..v%d", n))
		must(t, os.Mkdir(data, 0o700))
		write(t, filepath.Join(data, "proxy.yml"), version(n))
		must(t, os.Symlink(filepath.Base(data), filepath.Join(folder, "..data_tmp")))
		must(t, os.Rename(filepath.Join(folder, "..data_tmp"), filepath.Join(folder, "..data")))
		must(t, os.RemoveAll(filepath.Join(folder, fmt.Sprintf("..v%d", n-1))))
	}
	swap(1)
	must(t, os.Symlink(filepath.Join("..data", "proxy.yml"), path))
	w := watch(t, path, WatcherOptions{Applied: []byte(version(1)), Poll: time.Hour})
	for n := 2; n <= 6; n++ {
		swap(n)
		w.wants(version(n))
	}
	// The file that the link leads to, changed where it is.
	write(t, filepath.Join(folder, "..v6", "proxy.yml"), version(7))
	w.wants(version(7))
}

func TestWatcher_doesNotHandOverTheSameTextTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "proxy.yml")
	write(t, path, version(1))
	w := watch(t, path, WatcherOptions{Applied: []byte(version(1))})
	write(t, path, version(1))
	replace(t, path, version(1))
	write(t, path, version(2))
	w.wants(version(2))
	w.wantsNothingMore()
}

func TestWatcher_waitsForTheRestOfAHalfWrittenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "proxy.yml")
	whole := "services:\n  a: {hosts: [a.example.com]}\n  b: {hosts: [b.example.com]}\n"
	write(t, path, whole)
	w := watch(t, path, WatcherOptions{Applied: []byte(whole), Quiet: time.Millisecond, Doubt: patience, MaxDelay: patience})
	halves := []string{
		"",                                   // cut by a shell, before it writes
		whole[:len(whole)/2],                 // not valid
		whole[:strings.Index(whole, "  b:")], // valid, and a service is gone
	}
	for i, half := range halves {
		write(t, path, half)
		changed := whole + fmt.Sprintf("x-version: %d\n", i)
		waitForLook(t, w)
		write(t, path, changed)
		w.wants(changed)
		write(t, path, whole+"x-back: 1\n")
		w.wants(whole + "x-back: 1\n")
	}
}

// waitForLook gives the watcher time to read the file: some ticks.
func waitForLook(t *testing.T, w *watching) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 6 {
		<-tick.C
	}
	w.wantsNothingMore()
}

func TestWatcher_handsOverABrokenFileInTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "proxy.yml")
	w := watch(t, path, WatcherOptions{})
	write(t, path, "services: [\n")
	w.wants("services: [\n")
	write(t, path, "")
	w.wants("")
}

func TestWatcher_readsAFileThatNeverStopsChanging(t *testing.T) {
	path := filepath.Join(t.TempDir(), "proxy.yml")
	write(t, path, version(0))
	w := watch(t, path, WatcherOptions{Applied: []byte(version(0)), Quiet: time.Hour, MaxDelay: 100 * time.Millisecond})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
				_ = os.WriteFile(path+".tmp", []byte(version(n)), 0o600)
				_ = os.Rename(path+".tmp", path)
			}
		}
	}()
	for range 3 {
		if got := w.next(); !strings.HasPrefix(got, "x-version: ") {
			t.Errorf("got %q", got)
		}
	}
	close(stop)
	<-done
}

func TestWatcher_applies1000VersionsOneByOne(t *testing.T) {
	versions := 1000
	if testing.Short() {
		versions = 30
	}
	folder := t.TempDir()
	path, link := filepath.Join(folder, "real.yml"), filepath.Join(folder, "proxy.yml")
	write(t, path, version(0))
	must(t, os.Symlink("real.yml", link))
	w := watch(t, link, WatcherOptions{Applied: []byte(version(0)), Quiet: 5 * time.Millisecond})
	slowest := time.Duration(0)
	for n := 1; n <= versions; n++ {
		started := time.Now()
		switch n % 3 {
		case 0:
			write(t, path, version(n))
		case 1:
			replace(t, path, version(n))
		default:
			other := filepath.Join(folder, fmt.Sprintf("real%d.yml", n%2))
			write(t, other, version(n))
			must(t, os.Symlink(filepath.Base(other), link+".tmp"))
			must(t, os.Rename(link+".tmp", link))
			path = other
		}
		w.wants(version(n))
		slowest = max(slowest, time.Since(started))
	}
	// How soon is measured on the built program: here it would be a verdict on
	// what else the machine does.
	t.Logf("the slowest of %d versions was applied after %v", versions, slowest)
	w.wantsNothingMore()
}

func TestWatcher_pollsWhereFoldersCannotBeWatched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "proxy.yml")
	full := errors.New("too many open files")
	w := watch(t, path, WatcherOptions{Poll: 10 * time.Millisecond}, func(w *Watcher) {
		w.start = func() (notifier, <-chan fsnotify.Event, <-chan error, error) { return nil, nil, nil, full }
	})
	if err := <-w.problems; !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
	write(t, path, version(1))
	w.wants(version(1))
	replace(t, path, version(22))
	w.wants(version(22))
}

func TestWatcher_tellsOnceThatTheFileIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "proxy.yml")
	write(t, path, version(1))
	w := watch(t, path, WatcherOptions{Applied: []byte(version(1)), Poll: 10 * time.Millisecond})
	must(t, os.Remove(path))
	if err := <-w.problems; !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that the file is missing", err)
	}
	write(t, path, version(2))
	w.wants(version(2))
	select {
	case err := <-w.problems:
		t.Errorf("got %v, want one report", err)
	default:
	}
}
