package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
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

func TestMain(m *testing.M) {
	if socket := os.Getenv("CONTROL_TEST_CONNECT"); socket != "" {
		os.Exit(connectAsHelper(socket, os.Stdout)) //nolint:forbidigo // the main of the helper process
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// fakeRegistry answers every call with what call returns, and remembers it.
type fakeRegistry struct {
	call     func(ctx context.Context, verb, name string, req any, progress func(api.Progress)) (*api.Result, error)
	services []api.ServiceInfo
	mu       sync.Mutex
	calls    []string // guarded by mu
}

func (f *fakeRegistry) do(ctx context.Context, verb, name string, req any, progress func(api.Progress)) (*api.Result, error) {
	f.mu.Lock()
	f.calls = append(f.calls, fmt.Sprintf("%s %s %+v", verb, name, req))
	f.mu.Unlock()
	if f.call == nil {
		return &api.Result{Service: name}, nil
	}
	return f.call(ctx, verb, name, req, progress)
}

func (f *fakeRegistry) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.calls...)
}

func (f *fakeRegistry) Deploy(ctx context.Context, name string, req api.DeployRequest, progress func(api.Progress)) (*api.Result, error) {
	return f.do(ctx, "deploy", name, req, progress)
}

func (f *fakeRegistry) Add(ctx context.Context, name string, req api.AddRequest, progress func(api.Progress)) (*api.Result, error) {
	return f.do(ctx, "add", name, req, progress)
}

func (f *fakeRegistry) Remove(ctx context.Context, name string, req api.RemoveRequest, progress func(api.Progress)) (*api.Result, error) {
	return f.do(ctx, "remove", name, req, progress)
}

func (f *fakeRegistry) Drain(ctx context.Context, name string, req api.DrainRequest, progress func(api.Progress)) (*api.Result, error) {
	return f.do(ctx, "drain", name, req, progress)
}

func (f *fakeRegistry) Pause(ctx context.Context, name string, req api.PauseRequest, progress func(api.Progress)) (*api.Result, error) {
	return f.do(ctx, "pause", name, req, progress)
}

func (f *fakeRegistry) Stop(ctx context.Context, name string, req api.StopRequest, progress func(api.Progress)) (*api.Result, error) {
	return f.do(ctx, "stop", name, req, progress)
}

func (f *fakeRegistry) Resume(ctx context.Context, name string) (*api.Result, error) {
	return f.do(ctx, "resume", name, nil, nil)
}

func (f *fakeRegistry) Rollback(ctx context.Context, name string, req api.RollbackRequest, progress func(api.Progress)) (*api.Result, error) {
	return f.do(ctx, "rollback", name, req, progress)
}

func (f *fakeRegistry) RolloutDeploy(ctx context.Context, name string, req api.RolloutDeployRequest, progress func(api.Progress)) (*api.Result, error) {
	return f.do(ctx, "rollout deploy", name, req, progress)
}

func (f *fakeRegistry) RolloutSet(ctx context.Context, name string, req api.RolloutSetRequest) (*api.Result, error) {
	return f.do(ctx, "rollout set", name, req, nil)
}

func (f *fakeRegistry) RolloutStop(ctx context.Context, name string, req api.RolloutStopRequest, progress func(api.Progress)) (*api.Result, error) {
	return f.do(ctx, "rollout stop", name, req, progress)
}

func (f *fakeRegistry) Services() []api.ServiceInfo { return f.services }

func (f *fakeRegistry) Service(name string) (api.ServiceInfo, bool) {
	for _, s := range f.services {
		if s.Name == name {
			return s, true
		}
	}
	return api.ServiceInfo{}, false
}

type fakeDaemon struct {
	reload func(context.Context) error
	check  func(string, []byte) error
}

func (fakeDaemon) Status() api.Status { return api.Status{Version: "v1.2.3", PID: 7} }

func (fakeDaemon) Counters() map[string]uint64 {
	return map[string]uint64{
		"upfront_responses_total{code=\"200\"}": 5, "upfront_responses_total{code=\"502\"}": 1,
		"upfront_responses_total_bytes": 9, "upfront_connections": 2,
	}
}

func (f fakeDaemon) Reload(ctx context.Context) error {
	if f.reload == nil {
		return nil
	}
	return f.reload(ctx)
}

func (f fakeDaemon) Check(path string, text []byte) error {
	if f.check == nil {
		return nil
	}
	return f.check(path, text)
}

// running is a Server that serves on a real socket until the test ends.
type running struct {
	*Server
	socket string
	stop   context.CancelFunc
	ended  chan error // of Serve
}

func start(t *testing.T, o Options) *running {
	t.Helper()
	if o.Daemon == nil {
		o.Daemon = fakeDaemon{}
	}
	if o.ShutdownTimeout == 0 {
		o.ShutdownTimeout = 50 * time.Millisecond
	}
	ln, err := Listen(SocketOptions{Path: filepath.Join(shortDir(t), "control.sock")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{Server: New(o), socket: ln.Path(), stop: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- r.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// shortDir is a folder whose path leaves room for a socket's name: t.TempDir is
// too long on macOS.
func shortDir(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "upfront")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

func (r *running) dial(t *testing.T) *net.UnixConn {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: r.socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask makes one request and returns the status and the body.
func (r *running) ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	resp, err := r.open(t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: read answer: %v", method, path, err)
	}
	return resp.StatusCode, string(text)
}

func (r *running) open(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", r.socket)
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://proxyd"+path, body)
	if err != nil {
		return nil, err
	}
	return transport.RoundTrip(req)
}

// errorIn reads the error of an answer.
func errorIn(t *testing.T, body string) api.Error {
	t.Helper()
	var answer api.ErrorAnswer
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Error == nil {
		t.Fatalf("answer %q has no error in it", body)
	}
	return *answer.Error
}

// eventsIn reads the lines of a streamed answer.
func eventsIn(t *testing.T, body string) []api.Event {
	t.Helper()
	var events []api.Event
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		var event api.Event
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatalf("line %q is no event: %v", lines.Text(), err)
		}
		events = append(events, event)
	}
	return events
}

// waitFor returns when ch has something.
func waitFor[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not happen", what)
		panic("unreachable")
	}
}

// eventually asks until it gets true.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ask() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s did not happen", what)
		}
	}
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what it was; if that is meant, run go test ./control -update. Got:\n%s", path, got)
	}
}
