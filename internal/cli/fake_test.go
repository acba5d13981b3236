package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"upfront/api"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the time in every test.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// daemon is a fake proxyd on a real socket.
type daemon struct {
	socket string
	answer http.HandlerFunc
	mu     sync.Mutex
	asked  []string // guarded by mu: method, path and body of every request
}

func startDaemon(t *testing.T, answer http.HandlerFunc) *daemon {
	t.Helper()
	// The path of t.TempDir is too long for a socket on macOS.
	folder, err := os.MkdirTemp("", "upfront")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{socket: filepath.Join(folder, "control.sock"), answer: answer}
	ln, err := net.Listen("unix", d.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: d}
	ended := make(chan struct{})
	go func() {
		_ = server.Serve(ln)
		close(ended)
	}()
	t.Cleanup(func() {
		server.Close()
		<-ended
		os.RemoveAll(folder)
	})
	return d
}

func (d *daemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	d.mu.Lock()
	d.asked = append(d.asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
	d.mu.Unlock()
	d.answer(w, r)
}

// requests is what was asked so far.
func (d *daemon) requests() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.asked...)
}

// gives answers every request with v.
func gives(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v) }
}

// streams answers every request with events.
func streams(events ...api.Event) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, event := range events {
			_ = json.NewEncoder(w).Encode(event)
		}
	}
}

// refuses answers every request with an error.
func refuses(status int, e api.Error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(api.ErrorAnswer{Error: &e})
	}
}

// run is one run of the program.
type run struct {
	status         int
	stdout, stderr string
}

// look changes the session before it runs, for example to pretend a terminal.
type look func(*session)

func onTerminal(s *session) { s.out.terminal, s.err.terminal = true, true }

func proxyctl(t *testing.T, socket string, args []string, looks ...look) run {
	t.Helper()
	return proxyctlContext(t.Context(), socket, args, looks...)
}

func proxyctlContext(ctx context.Context, socket string, args []string, looks ...look) run {
	var stdout, stderr bytes.Buffer
	s := newSession(Options{
		Version: "v1.0.0", Stdout: &stdout, Stderr: &stderr,
		Env:    func(string) string { return "" },
		Now:    func() time.Time { return noon },
		Daemon: func() (string, bool) { return "", false },
	}.withDefaults())
	for _, look := range looks {
		look(s)
	}
	if socket != "" {
		args = append([]string{"--socket", socket}, args...)
	}
	status := s.run(ctx, args)
	return run{status, stdout.String(), stderr.String()}
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what it was; if that is meant, run go test ./internal/cli -update. Got:\n%s", path, got)
	}
}
