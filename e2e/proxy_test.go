package e2e

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"upfront/api"
)

// proxyOptions say how proxyd is started.
type proxyOptions struct {
	http   string   // default "127.0.0.1:0"; "-" is what the file says
	https  string   // default none
	log    string   // of accesses; default off
	config string   // path of the config file; "" is none
	dir    string   // folder of state and socket; default a new one
	under  []string // command that runs it, in the same process; default none
	env    []string // beside our own
}

// proxy is a running proxyd.
type proxy struct {
	*process
	options proxyOptions
	address string // where clients arrive
	secure  string // where they do over TLS, if they do
	socket  string
	state   string
	client  *api.Client
	up      time.Duration // from exec until the control socket answered
}

// startProxy starts proxyd and returns when it answers on its control socket.
func startProxy(t testing.TB, o proxyOptions) *proxy {
	t.Helper()
	p := launchProxy(t, o)
	p.waitUntilUp(t)
	return p
}

// launchProxy starts proxyd and waits for nothing.
func launchProxy(t testing.TB, o proxyOptions) *proxy {
	t.Helper()
	if o.http == "" {
		o.http = "127.0.0.1:0"
	}
	if o.dir == "" {
		o.dir = shortFolder(t)
	}
	p := newProxy(t, o)
	args := []string{"--socket", p.socket, "--state", p.state, "--access-log", cmp.Or(o.log, "off")}
	if o.http != "-" {
		args = append(args, "--http", o.http)
	}
	if o.https != "" {
		args = append(args, "--https", o.https)
	}
	if o.config != "" {
		args = append(args, "--config", o.config)
	}
	command := append(append([]string{}, o.under...), program(t, "proxyd"))
	cmd := exec.Command(command[0], append(command[1:], args...)...)
	cmd.Env = append(os.Environ(), o.env...)
	p.process = start(t, cmd)
	p.drainStdout()
	return p
}

// newProxy is a proxyd that was not started yet, with its files below o.dir.
func newProxy(t testing.TB, o proxyOptions) *proxy {
	t.Helper()
	p := &proxy{
		options: o,
		socket:  filepath.Join(o.dir, "run", "control.sock"),
		state:   filepath.Join(o.dir, "state", "state.json"),
	}
	p.client = &api.Client{Socket: p.socket}
	if err := os.MkdirAll(filepath.Dir(p.state), 0o700); err != nil {
		t.Fatal(err)
	}
	return p
}

// shortFolder is a new folder whose path is short enough for a unix socket.
func shortFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "upfront")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (p *proxy) waitUntilUp(t testing.TB) {
	t.Helper()
	began := time.Now()
	waitFor(t, 20*time.Second, "proxyd to answer on its control socket", func() bool {
		if !p.running() {
			t.Fatalf("proxyd ended at once: %v\n%s", p.process.state, p.log.String())
		}
		status, err := p.client.Status(t.Context())
		if err != nil || len(status.Listeners) == 0 {
			return false
		}
		p.address, p.secure = bare(status.Listeners[0]), bare(status.Listeners[len(status.Listeners)-1])
		return true
	})
	p.up = time.Since(began)
}

// bare is a listener's address without a scheme.
func bare(listener string) string {
	if _, address, found := strings.Cut(listener, "://"); found {
		return address
	}
	return listener
}

// ctl runs proxyctl.
func (p *proxy) ctl(t testing.TB, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return run(t.Context(), t, program(t, "proxyctl"), append([]string{"--socket", p.socket}, args...)...)
}

// do runs proxyctl and fails the test when it does not succeed.
func (p *proxy) do(t testing.TB, args ...string) (stdout string) {
	t.Helper()
	status, stdout, stderr := p.ctl(t, args...)
	if status != 0 {
		t.Fatalf("proxyctl %s: exit status %d: %s", strings.Join(args, " "), status, stderr)
	}
	return stdout
}

// status asks for the state of the daemon.
func (p *proxy) status(t testing.TB) api.Status {
	t.Helper()
	status, err := p.client.Status(t.Context())
	if err != nil {
		t.Fatalf("status: %v", err)
	}
	return status
}

// target returns what is known of one target of a service.
func (p *proxy) target(t testing.TB, service, address string) (api.TargetInfo, bool) {
	t.Helper()
	info, err := p.client.Service(t.Context(), service)
	if err != nil {
		t.Fatalf("service %s: %v", service, err)
	}
	for _, target := range info.Targets {
		if target.Address == address {
			return target, true
		}
	}
	return api.TargetInfo{}, false
}

// dump ends proxyd with SIGQUIT and returns the goroutines that it had, with
// their number.
func (p *proxy) dump(t testing.TB) (n int, stacks string) {
	t.Helper()
	let(t, 300*time.Millisecond) // for what our own last call left under way
	p.signal(t, syscall.SIGQUIT)
	p.exit(t, 10*time.Second)
	_, stacks, _ = strings.Cut(p.log.String(), "SIGQUIT")
	return len(goroutineLine.FindAllString(stacks, -1)), stacks
}

var goroutineLine = regexp.MustCompile(`(?m)^goroutine \d+ .*\[`)

// descriptors that proxyd has open; ok is false where /proc does not say.
func (p *proxy) descriptors() (n int, ok bool) {
	entries, err := os.ReadDir(filepath.Join("/proc", itoa(p.cmd.Process.Pid), "fd"))
	return len(entries), err == nil
}

// ctlCommand is a proxyctl that the test starts and ends itself.
func ctlCommand(t testing.TB, p *proxy, args ...string) *exec.Cmd {
	t.Helper()
	return exec.Command(program(t, "proxyctl"), append([]string{"--socket", p.socket}, args...)...)
}

// shellCommand runs script with args as its "$@".
func shellCommand(script string, args ...string) *exec.Cmd {
	return exec.Command("sh", append([]string{"-c", script, "sh"}, args...)...)
}
