package kamal

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

var binFolder string // set once in TestMain

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "upfront-kamal-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binFolder = dir
	return m.Run()
}

// binary is the program under test.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("KAMAL_PROXY_BIN"); path != "" {
		return filepath.Abs(path)
	}
	// go test runs again when a source has changed, though we import none of them.
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".go") {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	path := filepath.Join(binFolder, "kamal-proxy")
	if out, err := exec.Command("go", "build", "-o", path, "upfront/cmd/kamal-proxy").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// proxy is a running proxy with a home of its own.
type proxy struct {
	t       *testing.T
	home    string
	flags   []string // of run, besides the ports
	program string   // its path; "" is the binary under test
	address string   // for HTTP
	secure  string   // for HTTPS
	cmd     *exec.Cmd
	log     *output
	ended   chan struct{}
}

// output is what a process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func startProxy(t *testing.T) *proxy {
	t.Helper()
	return startProxyIn(t, func(string) {})
}

// startProxyIn starts a proxy that finds in its home what prepare puts there.
func startProxyIn(t *testing.T, prepare func(home string)) *proxy {
	t.Helper()
	home, err := os.MkdirTemp("", "kamal") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	prepare(home)
	return startIn(t, home)
}

// startProxyWith starts a proxy that is told more.
func startProxyWith(t *testing.T, flags ...string) *proxy {
	t.Helper()
	home, err := os.MkdirTemp("", "kamal")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	return startIn(t, home, flags...)
}

func startIn(t *testing.T, home string, flags ...string) *proxy {
	t.Helper()
	p := &proxy{t: t, home: home, flags: flags}
	p.start()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			lines := strings.Split(p.log.String(), "\n")
			t.Logf("the proxy wrote, at the end:\n%s", strings.Join(lines[max(0, len(lines)-20):], "\n"))
		}
	})
	return p
}

// start runs the proxy on free ports and returns when it accepts connections. A port
// that was free may be taken by another test meanwhile: then on others.
func (p *proxy) start() {
	p.t.Helper()
	for range 10 {
		if p.startOnce() {
			return
		}
	}
	p.t.Fatalf("no port stays free:\n%s", p.log)
}

// startOnce reports false when a port was taken.
func (p *proxy) startOnce() (ready bool) {
	p.t.Helper()
	port := freePort(p.t)
	securePort := freePort(p.t)
	p.address, p.secure = "127.0.0.1:"+port, "127.0.0.1:"+securePort
	p.cmd = p.command(append([]string{"run", "--http-port", port, "--https-port", securePort}, p.flags...)...)
	p.log, p.ended = &output{}, make(chan struct{})
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	eventually(p.t, "the proxy accepts connections", func() bool {
		select {
		case <-p.ended:
			if strings.Contains(p.log.String(), "address already in use") {
				return true
			}
			p.t.Fatalf("the proxy ended at once:\n%s", p.log)
		default:
		}
		conn, err := net.Dial("tcp", p.address)
		if err == nil {
			_ = conn.Close()
		}
		ready = err == nil && p.try("list").status == 0
		return ready
	})
	return ready
}

func (p *proxy) command(args ...string) *exec.Cmd {
	path := p.program
	if path == "" {
		var err error
		if path, err = binary(); err != nil {
			p.t.Fatal(err)
		}
	}
	cmd := exec.Command(path, args...)
	// v0.9.2 does not know the socket's variable yet.
	cmd.Env = append(os.Environ(), "HOME="+p.home, "XDG_RUNTIME_DIR="+p.home, "KAMAL_PROXY_SOCKET="+filepath.Join(p.home, "kamal-proxy.sock"))
	return cmd
}

func (p *proxy) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// restart ends the proxy as Docker does, and starts it again.
func (p *proxy) restart() {
	p.t.Helper()
	p.stop()
	p.start()
}

func (p *proxy) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatal("the proxy did not end")
	}
}

// result is how a command ended.
type result struct {
	status         int
	stdout, stderr string
}

// try runs one command.
func (p *proxy) try(args ...string) result {
	var stdout, stderr bytes.Buffer
	cmd := p.command(args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// do runs one command, which must succeed in silence.
func (p *proxy) do(args ...string) {
	p.t.Helper()
	if got := p.try(args...); got != (result{}) {
		p.t.Fatalf("%s: got %+v, want silence and status 0", strings.Join(args, " "), got)
	}
}

// deploy runs a deploy of target, probed often.
func (p *proxy) deploy(service, target string, flags ...string) {
	p.t.Helper()
	p.do(append([]string{"deploy", service, "--target", target, "--health-check-interval", "100ms"}, flags...)...)
}

// answer is what a client got.
type answer struct {
	status int
	body   string
	header http.Header
	err    error
}

// ask makes one request on a connection of its own.
func (p *proxy) ask(method, host, path string, fields ...string) answer {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return ask(ctx, p.address, method, host, path, nil, fields...)
}

// want checks the status of one GET.
func (p *proxy) want(host, path string, status int) answer {
	p.t.Helper()
	got := p.ask("GET", host, path)
	if got.err != nil || got.status != status {
		p.t.Errorf("GET %s%s: got %d, %v, want %d", host, path, got.status, got.err, status)
	}
	return got
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// during looks all the time for d, and reports whether ok held throughout.
func during(d time.Duration, ok func() bool) bool {
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return true
		}
	}
	return false
}

// freePort is below those that systems give to outgoing connections.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20000 + rand.IntN(10000))
		ln, err := net.Listen("tcp", ":"+port)
		if err == nil {
			_ = ln.Close()
			return port
		}
	}
	t.Fatal("found no free port")
	return ""
}
