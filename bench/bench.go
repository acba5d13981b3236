package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"upfront/bench/machine"
	"upfront/bench/peer"
	"upfront/bench/report"
)

// bench is one run: what the scenarios share.
type bench struct {
	options
	withLog bool
	dir     string // for configs, sockets and logs; removed at the end
	peers   []peer.Peer
	result  *report.Result
}

func newBench(o options, log bool) (*bench, error) {
	peers, err := o.findPeers()
	if err != nil {
		return nil, err
	}
	descriptors, err := machine.RaiseDescriptors(2*max(o.sizes.idle, o.sizes.slow) + 2000)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "upfront-bench-")
	if err != nil {
		return nil, err
	}
	proxy, load, target := o.core()
	b := &bench{options: o, withLog: log, dir: dir, peers: peers}
	b.sizes.idle = min(o.sizes.idle, descriptors-1000)
	// A proxy needs two for each, and Upfront lets its clients have half of them.
	b.sizes.slow = min(o.sizes.slow, descriptors/2-500)
	b.result = &report.Result{
		Began: time.Now().UTC().Format("2006-01-02 15:04:05"), About: machine.Describe(), Log: log,
		Rounds: o.rounds, Duration: o.duration.String(),
		Cores: fmt.Sprintf("proxy on core %s, load on %s, target on %s", proxy, load, target),
	}
	if o.smoke {
		b.result.Notes = append(b.result.Notes, "A smoke run: it says that the bench works, and nothing of speed.")
	}
	for _, p := range peers {
		about := report.Proxy{Name: p.Name, Version: p.Version(), Log: p.LogStyle()}
		if about.Command, about.Config, err = p.Describe(b.ask(peer.Options{})); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		// What is random of it says nothing.
		about.Command = strings.ReplaceAll(about.Command, dir, "DIR")
		for name, text := range about.Config {
			about.Config[name] = strings.ReplaceAll(text, dir, "DIR")
		}
		b.result.Proxies = append(b.result.Proxies, about)
	}
	return b, nil
}

func (b *bench) address(offset int) string { return fmt.Sprintf("127.0.0.1:%d", b.port+offset) }

// ask completes what a scenario asks of a proxy.
func (b *bench) ask(o peer.Options) peer.Options {
	o.Listen, o.Dir, o.Log = b.address(0), b.dir, b.withLog
	if o.Target == "" {
		o.Target = b.address(1)
	}
	o.Descriptors = 2*max(b.sizes.idle, b.sizes.slow) + 2000
	return o
}

// subject is what a round is about: a proxy, or nothing between load and target.
type subject struct {
	name string
	peer *peer.Peer // nil for nothing
}

// subjects are all proxies, with nothing behind them when direct is set.
func (b *bench) subjects(direct bool) (all []subject) {
	for i := range b.peers {
		all = append(all, subject{b.peers[i].Name, &b.peers[i]})
	}
	if direct {
		all = append(all, subject{name: report.Direct})
	}
	return all
}

// interleave measures each subject n times, another one first in each round, and
// leaves out those that cannot do what the scenario asks.
func (b *bench) interleave(scenario string, n int, subjects []subject, measure func(subject) error) error {
	for i := range n {
		for k := range subjects {
			s := subjects[(i+k)%len(subjects)]
			if b.cannot(scenario, s.name) {
				continue
			}
			err := measure(s)
			if cannot, ok := errors.AsType[peer.CannotError](err); ok {
				b.result.Notes = append(b.result.Notes, fmt.Sprintf("%s, %s: %s.", scenario, s.name, cannot.Error()))
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	return nil
}

// cannot reports whether a proxy has been left out of a scenario.
func (b *bench) cannot(scenario, name string) bool {
	return slices.ContainsFunc(b.result.Notes, func(note string) bool {
		return strings.HasPrefix(note, scenario+", "+name+": ")
	})
}

// stage is what requests are sent to: a proxy that runs in front of the target, or
// the target.
type stage struct {
	bench   *bench
	address string
	proxy   *peer.Proxy // nil for the target alone
	target  int         // process of the target
}

// start starts the proxy of s before the target, which runs.
func (b *bench) start(s subject, target *process, o peer.Options) (*stage, error) {
	st := &stage{bench: b, address: b.address(1), target: target.pid()}
	if s.peer == nil {
		return st, nil
	}
	cores, _, _ := b.core()
	proxy, err := s.peer.Start(cores, b.ask(o))
	if err != nil {
		return nil, err
	}
	st.proxy, st.address = proxy, b.address(0)
	return st, nil
}

func (st *stage) stop() {
	if st.proxy != nil {
		st.proxy.Stop()
	}
	// A log of millions of lines is not for keeping.
	logs, _ := filepath.Glob(filepath.Join(st.bench.dir, "*.log"))
	for _, log := range logs {
		os.Remove(log)
	}
}

// usage runs work and says what it took of the machine.
func (st *stage) usage(work func() error) (machine.Usage, error) {
	pid := 0
	if st.proxy != nil {
		pid = st.proxy.PID()
	}
	before, err := machine.Take(pid, st.target)
	if err != nil {
		return machine.Usage{}, err
	}
	if err := work(); err != nil {
		return machine.Usage{}, err
	}
	after, err := machine.Take(pid, st.target)
	return after.Since(before), err
}

// add records one value and prints it, so that a long run shows its way.
func (b *bench) add(scenario, metric, unit, name string, value float64, disturbed string) {
	fmt.Fprintf(os.Stderr, "%-12s %-28s %-26s %12.2f %s %s\n", name, scenario, metric, value, unit, disturbed)
	b.result.Add(scenario, metric, unit, name, value, disturbed)
}

// process is a part of the bench that runs beside it.
type process struct{ cmd *exec.Cmd }

// startTarget starts a target at every address of loopback.
func (b *bench) startTarget() (*process, error) {
	return b.startSelf("target", fmt.Sprintf("*:%d", b.port+1), b.address(1))
}

// startSelf runs this program as a target of a kind, and waits until it listens.
func (b *bench) startSelf(kind, listen, address string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	_, _, cores := b.core()
	cmd := exec.Command("taskset", "-c", cores, self, kind, listen)
	cmd.Stderr = os.Stderr
	if err := start(cmd, address); err != nil {
		return nil, fmt.Errorf("start %s: %w", kind, err)
	}
	return &process{cmd}, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) stop() { stop(p.cmd) }

// start runs cmd and waits until it accepts connections.
func start(cmd *exec.Cmd, listen string) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	network, address := "tcp", listen
	if path, ok := strings.CutPrefix(listen, peer.UnixTarget); ok {
		network, address = "unix", path
	}
	for range 200 {
		conn, err := net.Dial(network, address)
		if err == nil {
			return conn.Close()
		}
		time.Sleep(25 * time.Millisecond)
	}
	stop(cmd)
	return fmt.Errorf("%s does not listen on %s", cmd.Path, listen)
}

// stop ends cmd and what it started.
func stop(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
}
