package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"upfront/bench/report"
)

// Peer is a proxy that can be measured.
type Peer struct {
	Name string
	Path string // of the program
}

// kind is what is known of one.
type kind struct {
	render  func(path string, o Options) (rendered, error)
	version []string // arguments that make it say its version
	log     string   // how it writes its access log
	unix    string   // what the path of a target's unix socket follows; "" where it is given none
}

// rendered is how a proxy is run.
type rendered struct {
	files map[string]string // by name in Options.Dir
	args  []string          // the program first
	env   []string
	log   string // file for its standard output; "" is nowhere
	then  func(context.Context) error
	swap  func(ctx context.Context, p *Proxy, target string) error
}

var kinds = map[string]kind{
	report.Ours:   {upfront, []string{"--version"}, "as JSON to a file, gathered", "unix:"},
	"nginx":       {nginx, []string{"-v"}, "`combined` to a file, buffer=64k flush=1s", "unix:"},
	"haproxy":     {haproxy, []string{"-v"}, "`httplog` to standard output, into a file: a write for each line, it cannot gather", "unix@"},
	"caddy":       {caddy, []string{"version"}, "as JSON to a file", "unix/"},
	"traefik":     {traefik, []string{"version"}, "`common` to a file, bufferingSize=1000", ""},
	"kamal-proxy": {kamalProxy, []string{"version"}, "as JSON to standard output, into a file", ""},
	"envoy":       {envoy, []string{"--version"}, "its default text to a file", ""},
}

// Known are the names of the proxies that a config can be rendered for, sorted.
func Known() []string { return slices.Sorted(maps.Keys(kinds)) }

// Find returns the proxy of a name; path is a program's name or path.
func Find(name, path string) (Peer, error) {
	if _, ok := kinds[name]; !ok {
		return Peer{}, fmt.Errorf("no config for peer %q: choose from %s", name, strings.Join(Known(), ", "))
	}
	found, err := exec.LookPath(path)
	if err != nil {
		return Peer{}, fmt.Errorf("find %s: %w", name, err)
	}
	found, err = filepath.Abs(found)
	return Peer{name, found}, err
}

var versionNumber = regexp.MustCompile(`v?[0-9]+\.[0-9]+[^ \n,]*`)

// Version is what the program says of itself.
func (p Peer) Version() string {
	out, _ := exec.Command(p.Path, kinds[p.Name].version...).CombinedOutput()
	if found := versionNumber.Find(out); found != nil {
		return string(found)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// LogStyle is how it writes its access log, in words.
func (p Peer) LogStyle() string { return kinds[p.Name].log }

// Describe is the command and the config that Start would use.
func (p Peer) Describe(o Options) (command string, config map[string]string, err error) {
	r, err := p.render(o)
	return strings.Join(r.args, " "), r.files, err
}

func (p Peer) render(o Options) (rendered, error) {
	k := kinds[p.Name]
	if path, ok := strings.CutPrefix(o.Target, UnixTarget); ok {
		if k.unix == "" {
			return rendered{}, CannotError("it is given no targets at unix sockets")
		}
		o.Target = k.unix + path
	}
	return k.render(p.Path, o)
}

// Proxy is one that runs.
type Proxy struct {
	Peer

	cmd     *exec.Cmd
	ended   chan struct{} // closed when the process has been waited for
	options Options
	swap    func(ctx context.Context, p *Proxy, target string) error
}

// Start runs a proxy on a list of cores and waits until it passes requests on. The
// error is a CannotError where it cannot do what is asked.
func (p Peer) Start(cores string, o Options) (*Proxy, error) {
	r, err := p.render(o)
	if err != nil {
		return nil, err
	}
	for name, text := range r.files {
		if err := os.WriteFile(filepath.Join(o.Dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	running := &Proxy{Peer: p, options: o, swap: r.swap, ended: make(chan struct{})}
	running.cmd = exec.Command("taskset", append([]string{"-c", cores}, r.args...)...)
	running.cmd.Env = append(os.Environ(), r.env...)
	running.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said, err := os.Create(filepath.Join(o.Dir, p.Name+".err"))
	if err != nil {
		return nil, err
	}
	defer said.Close()
	running.cmd.Stderr = said
	if r.log != "" {
		log, err := os.OpenFile(r.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil, err
		}
		defer log.Close()
		running.cmd.Stdout = log
	}
	if err := running.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = running.cmd.Wait()
		close(running.ended)
	}()
	if err := running.await(r.then); err != nil {
		running.Stop()
		text, _ := os.ReadFile(said.Name())
		return nil, fmt.Errorf("start %s: %w: %s", p.Name, err, strings.TrimSpace(string(text[:min(len(text), 2000)])))
	}
	return running, nil
}

// StartTimeout is how long a proxy may take until it passes requests on.
const StartTimeout = 60 * time.Second

// await waits until the proxy listens, does what is left to do, and waits until requests
// for the first and the last of its services are answered.
func (p *Proxy) await(then func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), StartTimeout)
	defer cancel()
	go func() { // one that has ended will not listen any more
		select {
		case <-p.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	listens := func() error {
		conn, err := net.Dial("tcp", p.options.Listen)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	if err := poll(ctx, listens); err != nil {
		return err
	}
	if then != nil {
		if err := then(ctx); err != nil {
			return err
		}
	}
	if p.options.TLS != nil {
		return poll(ctx, func() error {
			conn, err := tls.Dial("tcp", p.options.Listen, &tls.Config{ServerName: Host(0), InsecureSkipVerify: true})
			if err != nil {
				return err
			}
			return conn.Close()
		})
	}
	for _, host := range []string{Host(0), Host(max(p.options.Services-1, 0))} {
		if err := poll(ctx, func() error { return answers(ctx, p.options.Listen, host) }); err != nil {
			return err
		}
	}
	return nil
}

func poll(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func answers(ctx context.Context, address, host string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/up", nil)
	if err != nil {
		return err
	}
	req.Host, req.Close = host, true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}

// PID is the process whose tree is the proxy.
func (p *Proxy) PID() int { return p.cmd.Process.Pid }

// CanSwap reports whether Swap works.
func (p *Proxy) CanSwap() bool { return p.swap != nil }

// Swap tells the proxy of another target, as its deploy would.
func (p *Proxy) Swap(ctx context.Context, target string) error { return p.swap(ctx, p, target) }

// Stop ends the proxy and what it started.
func (p *Proxy) Stop() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// run runs a program to its end; what it said is in the error.
func run(ctx context.Context, args, env []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.New(strings.TrimSpace(string(out)) + ": " + err.Error())
	}
	return nil
}
