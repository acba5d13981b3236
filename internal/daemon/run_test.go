package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"upfront/api"
)

// fasthttp's clock, which the data plane's header codec starts, never ends.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// patience is how long a test waits before it gives up.
const patience = 10 * time.Second

// buffer is a bytes.Buffer that two goroutines may use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// program is a proxyd that runs inside the test.
type program struct {
	t      *testing.T
	dir    string
	args   []string
	client *api.Client
	stderr *buffer
	cancel context.CancelFunc
	done   chan int
}

// newProgram has its files in a new folder, short enough for a socket's address.
func newProgram(t *testing.T) *program {
	t.Helper()
	dir, err := os.MkdirTemp("", "proxyd")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &program{t: t, dir: dir, client: &api.Client{Socket: filepath.Join(dir, "run", "c.sock")}}
	p.args = []string{
		"--http", "127.0.0.1:0", "--socket", p.client.Socket,
		"--state", filepath.Join(dir, "state", "state.json"), "--access-log", "off",
	}
	return p
}

func (p *program) file() string { return filepath.Join(p.dir, "proxy.yml") }

// start runs it and waits until it answers.
func (p *program) start(more ...string) *program {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.done, p.stderr = cancel, make(chan int, 1), &buffer{}
	s := system{
		args: append(append([]string{}, p.args...), more...), getenv: func(string) string { return "" },
		unsetenv: func(string) error { return nil }, stdout: io.Discard, stderr: p.stderr,
	}
	go func() { p.done <- run(ctx, s) }()
	p.t.Cleanup(func() { p.stop() })
	p.until("it answers", func() bool {
		select {
		case status := <-p.done:
			p.done <- status
			p.t.Fatalf("ended with %d: %s", status, p.stderr)
		default:
		}
		_, err := p.client.Status(context.Background())
		return err == nil
	})
	return p
}

// stop ends it and returns the exit status.
func (p *program) stop() int {
	p.cancel()
	select {
	case status := <-p.done:
		p.done <- status
		return status
	case <-time.After(3 * patience):
		p.t.Fatalf("did not end: %s", p.stderr)
		return -1
	}
}

func (p *program) status() api.Status {
	p.t.Helper()
	status, err := p.client.Status(context.Background())
	must(p.t, err)
	return status
}

func (p *program) until(what string, holds func() bool) {
	p.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(end) {
			p.t.Fatalf("waited in vain until %s: %s", what, p.stderr)
		}
	}
}

func (p *program) problem() string {
	p.t.Helper()
	if c := p.status().Config; c != nil {
		return c.Problem
	}
	return ""
}

func (p *program) services() []string {
	p.t.Helper()
	names := []string{}
	for _, s := range p.status().Services {
		names = append(names, s.Name)
	}
	return names
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path+".new", []byte(text), 0o600))
	must(t, os.Rename(path+".new", path))
}

// app is a target that answers everything.
func app(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Get(url)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(body)
}

func TestRun_servesADeployAndKeepsItAcrossRestarts(t *testing.T) {
	p := newProgram(t).start()
	_, err := p.client.Deploy(t.Context(), "web", api.DeployRequest{Targets: []api.Target{{Address: app(t)}}}, nil)
	must(t, err)
	for range 2 {
		status := p.status()
		if len(status.Listeners) != 1 || strings.HasSuffix(status.Listeners[0], ":0") {
			t.Fatalf("got listeners %q, want one with the port that was chosen", status.Listeners)
		}
		if code, body := get(t, status.Listeners[0]); code != 200 || body != "hello" {
			t.Errorf("got %d %q, want 200 hello", code, body)
		}
		if got := p.stop(); got != exitClean {
			t.Errorf("got exit status %d, want %d", got, exitClean)
		}
		p.start()
	}
}

func TestRun_appliesTheFileAndRefusesABadOne(t *testing.T) {
	p := newProgram(t)
	write(t, p.file(), "services: {one: {hosts: [one.example.com]}}\n")
	p.start("--config", p.file())
	write(t, p.file(), "services: {one: {hosts: [one.example.com]}, two: {hosts: [two.example.com]}}\n")
	p.until("both services are there", func() bool { return len(p.services()) == 2 })

	write(t, p.file(), "services: {one: {polcy: x}}\n")
	p.until("the problem is shown", func() bool { return p.problem() != "" })
	if got, want := p.problem(), p.file()+":1:18: services.one.polcy: unknown key"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
	if got := p.services(); len(got) != 2 {
		t.Errorf("got %v, want both services as before", got)
	}
	if !strings.Contains(p.stderr.String(), `"line":1,"column":18`) {
		t.Errorf("got %s, want line and column in the log", p.stderr)
	}
	if err := p.client.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "polcy") {
		t.Errorf("got %v from reload, want the mistake", err)
	}

	write(t, p.file(), "services: {three: {}}\n")
	p.until("the new file is live", func() bool { return fmt.Sprint(p.services()) == "[three]" && p.problem() == "" })
}

func TestRun_anEmptyFileTakesNoServiceDown(t *testing.T) {
	p := newProgram(t)
	write(t, p.file(), "\ufeffservices: {one: {}}\n") // some editors begin with a byte order mark
	p.start("--config", p.file())
	for _, cut := range []string{"", "drain_timeout: 9s\nservices:\n"} {
		write(t, p.file(), cut)
		p.until("the problem is shown", func() bool { return strings.Contains(p.problem(), "names no services") })
		if got := p.services(); fmt.Sprint(got) != "[one]" {
			t.Errorf("after %q: got %v, want [one]", cut, got)
		}
		write(t, p.file(), "services: {one: {}}\n")
		p.until("the whole file is live", func() bool { return p.problem() == "" })
	}
	p.stop()
	write(t, p.file(), "")
	p.start("--config", p.file())
	if got := p.services(); fmt.Sprint(got) != "[one]" {
		t.Errorf("after a restart with an empty file: got %v, want [one]", got)
	}
	write(t, p.file(), "services: {}\n")
	p.until("the service is gone", func() bool { return len(p.services()) == 0 })
}

func TestRun_startsWithTheLastGoodCopyOfABrokenFile(t *testing.T) {
	p := newProgram(t)
	write(t, p.file(), "services: {one: {}}\n")
	p.start("--config", p.file())
	p.stop()
	write(t, p.file(), "services: {one: [}\n")
	p.start("--config", p.file())
	if got := p.services(); fmt.Sprint(got) != "[one]" {
		t.Errorf("got %v, want [one]", got)
	}
	if got := p.problem(); !strings.Contains(got, "config.last-good.yml is live, because "+p.file()+":1:") {
		t.Errorf("got problem %q, want the copy and the reason", got)
	}
	write(t, p.file(), "services: {two: {}}\n")
	p.until("the repaired file is live", func() bool { return fmt.Sprint(p.services()) == "[two]" && p.problem() == "" })
}

func TestRun_saysWhichSettingsNeedARestart(t *testing.T) {
	p := newProgram(t)
	write(t, p.file(), "")
	p.start("--config", p.file())
	write(t, p.file(), "state: /elsewhere.json\ncontrol: {group: root}\nlimits: {fields: 7}\n")
	p.until("the problem is shown", func() bool { return p.problem() != "" })
	want := "restart proxyd to apply the change of control.group; everything else is live"
	if got := p.problem(); got != want { // --state wins over the file
		t.Errorf("got %q, want %q", got, want)
	}
	code, _ := get(t, p.status().Listeners[0])
	if code != 431 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.status().Listeners[0], "http://"))
		must(t, err)
		defer func() { _ = conn.Close() }()
		_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n"+strings.Repeat("X: y\r\n", 8)+"\r\n")
		must(t, err)
		head := make([]byte, 12)
		_, err = io.ReadFull(conn, head)
		must(t, err)
		if string(head) != "HTTP/1.1 431" {
			t.Errorf("got %q for 9 fields, want 431 as limits.fields is 7", head)
		}
	}
}

func TestRun_placesAConflictWithADeployedService(t *testing.T) {
	p := newProgram(t)
	write(t, p.file(), "")
	p.start("--config", p.file())
	_, err := p.client.Deploy(t.Context(), "web", api.DeployRequest{Targets: []api.Target{{Address: app(t)}}}, nil)
	must(t, err)
	write(t, p.file(), "services:\n  other: {}\n")
	p.until("the problem is shown", func() bool { return p.problem() != "" })
	if got := p.problem(); !strings.Contains(got, ":2:3: ") || !strings.Contains(got, `"web"`) {
		t.Errorf("got %q, want line 2, column 3 and the other service", got)
	}
}

func TestRun_refuses(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yml")
	must(t, os.WriteFile(bad, []byte("a: 1\nlog: 2\n"), 0o600))
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = busy.Close() }()
	tests := []struct {
		name   string
		args   []string
		env    map[string]string
		status int
		want   []string
	}{
		{"a flag it does not know", []string{"--htp", ":1"}, nil, exitUsage, []string{"--htp"}},
		{"a command it does not know", []string{"serve"}, nil, exitUsage, []string{`unknown command "serve"`}},
		{"a level it does not know", []string{"--log-level=loud"}, nil, exitUsage, []string{`"loud"`, "debug, info, warn or error"}},
		{"a bad variable", nil, map[string]string{"UPFRONT_DRAIN_TIMEOUT": "soon"}, exitUsage, []string{"UPFRONT_DRAIN_TIMEOUT", "30s"}},
		{"a named file that is missing", []string{"--config", filepath.Join(dir, "none.yml")}, nil, exitUsage, []string{"none.yml", "--config"}},
		{"a bad file", []string{"--config", bad}, nil, exitUsage, []string{"bad.yml:1:1: a: unknown key", "bad.yml:2:6: log: must be a mapping", "^"}},
		{"a busy port for TLS", []string{"--https", busy.Addr().String()}, nil, exitFailure, []string{"listen on", "--https"}},
		{"a busy port", []string{"--http", busy.Addr().String()}, nil, exitFailure, []string{"listen on", "--http"}},
		{"check of a bad file", []string{"check", bad}, nil, exitUsage, []string{"bad.yml:1:1", "bad.yml:2:6"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var stderr bytes.Buffer
			socketDir, err := os.MkdirTemp("", "proxyd")
			must(t, err)
			defer func() { _ = os.RemoveAll(socketDir) }()
			s := system{
				args: test.args, stdout: io.Discard, stderr: &stderr, unsetenv: func(string) error { return nil },
				getenv: func(name string) string {
					return firstOf(test.env[name], map[string]string{
						"UPFRONT_SOCKET": filepath.Join(socketDir, "c.sock"), "UPFRONT_STATE": filepath.Join(dir, "state.json"),
						"UPFRONT_HTTP": "127.0.0.1:0", "UPFRONT_ACCESS_LOG": "off",
					}[name])
				},
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // should it start after all
			if got := run(ctx, s); got != test.status {
				t.Errorf("got exit status %d, want %d", got, test.status)
			}
			for _, want := range test.want {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("got %q, want %q in it", stderr.String(), want)
				}
			}
		})
	}
}

func TestRun_prints(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good.yml")
	must(t, os.WriteFile(good, []byte("services: {a: {}}\n"), 0o600))
	for _, test := range []struct{ args, want string }{
		{"--help", "Usage:"}, {"-h", "Usage:"}, {"version", "dev"}, {"--version", "dev"}, {"check " + good, "good.yml is good (services: 1)"},
	} {
		var stdout bytes.Buffer
		s := system{
			args: strings.Fields(test.args), stdout: &stdout, stderr: io.Discard,
			getenv: func(string) string { return "" }, unsetenv: func(string) error { return nil },
		}
		if got := run(t.Context(), s); got != exitClean || !strings.Contains(stdout.String(), test.want) {
			t.Errorf("%s: got %d and %q, want 0 and %q", test.args, got, stdout.String(), test.want)
		}
	}
}

func TestRun_logsJSON(t *testing.T) {
	p := newProgram(t).start("--log-level", "debug")
	p.stop()
	for line := range strings.Lines(p.stderr.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("got %q, want JSON", line)
		}
	}
	if !strings.Contains(p.stderr.String(), `"msg":"Listening","address":"http://127.0.0.1:`) {
		t.Errorf("got %s, want the address that was chosen", p.stderr)
	}
}
