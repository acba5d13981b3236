package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// binFolder is where the programs are built; set once in TestMain.
var binFolder string

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "upfront-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// Another uid runs proxyctl from here, see abuse_test.go.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binFolder = dir
	// A program with the race detector waits for a second at its end otherwise,
	// which every proxyctl would cost us.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// full reports whether the promised sizes are asked for.
func full() bool { return os.Getenv("UPFRONT_E2E_FULL") == "1" }

// scale is ci, or promised with UPFRONT_E2E_FULL=1.
func scale(ci, promised int) int {
	if full() {
		return promised
	}
	return ci
}

// race reports whether the programs are built with the race detector.
var race = sync.OnceValue(func() bool {
	if os.Getenv("UPFRONT_E2E_RACE") == "0" {
		return false
	}
	_, err := exec.LookPath("gcc")
	if err != nil {
		_, err = exec.LookPath("cc")
	}
	return err == nil
})

// build builds every program once.
var build = sync.OnceValue(func() error {
	if err := lookAtSources(); err != nil {
		return err
	}
	args := []string{"build"}
	if race() {
		args = append(args, "-race")
	}
	args = append(args, "-o", binFolder, "upfront/cmd/proxyd", "upfront/cmd/proxyctl")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go %v: %w\n%s", args, err, out)
	}
	// The app is not under test, and has to leave the processor to what is.
	app := exec.Command("go", "build", "-o", filepath.Join(binFolder, "testtarget"), "upfront/internal/testtarget/cmd")
	if out, err := app.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", app, err, out)
	}
	return nil
})

// lookAtSources has go test run again, instead of repeating an earlier result, when
// a program has changed: we import none of them, but go test also remembers which
// files a test looked at.
func lookAtSources() error {
	return filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if ext := filepath.Ext(path); ext == ".go" || ext == ".mod" {
			_, err = os.Stat(path)
		}
		return err
	})
}

// program is the path of a built program.
func program(t testing.TB, name string) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(binFolder, name)
}

// slack is what a bound on time is multiplied with, because CI machines are slow
// and the race detector makes programs slower.
func slack(d time.Duration) time.Duration {
	if race() || os.Getenv("CI") != "" {
		return 3 * d
	}
	return d
}

// waitFor polls until done reports true, and fails the test after limit.
func waitFor(t testing.TB, limit time.Duration, what string, done func() bool) (took time.Duration) {
	t.Helper()
	began := time.Now()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %v for %s", limit, what)
		}
	}
	return time.Since(began)
}

// let lets time pass for what runs in the background, such as load; nothing is
// waited for.
func let(t testing.TB, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
