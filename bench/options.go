package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upfront/bench/load"
	"upfront/bench/machine"
	"upfront/bench/peer"
	"upfront/bench/report"
)

// options are what was asked for.
type options struct {
	scenarios string
	rounds    int
	runs      int
	duration  time.Duration
	log       string // off, on or both
	bin       string
	peers     peerFlag
	results   string
	into      string
	port      int
	cores     string
	slow      int    // clients that are asked for
	attacks   string // of slow clients
	smoke     bool
	sizes     sizes
}

// sizes are how much of a thing the scenarios have.
type sizes struct {
	warm     time.Duration
	idle     int
	services []int
	probed   []int
	settle   time.Duration // of the probes
	deploys  int
	streams  int
	answers  int // of the stream scenario, in a round
	slow     int // clients
}

func parseOptions(args []string) (options, error) {
	o := options{peers: peerFlag{}}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.StringVar(&o.scenarios, "scenario", "all", "scenarios to run, by commas; all is what measures: "+scenarioNames())
	set.IntVar(&o.rounds, "rounds", 7, "rounds of each scenario, interleaved over the proxies")
	set.IntVar(&o.runs, "runs", 1, "separate runs, each with its own results")
	set.DurationVar(&o.duration, "duration", 3*time.Second, "length of one round")
	set.StringVar(&o.log, "log", "off", "access log of all proxies: off, on, or both, one run behind the other")
	set.StringVar(&o.bin, "bin", "bin", "folder of proxyd and proxyctl")
	set.Var(o.peers, "peer", "NAME=PATH of a peer's program; an empty path leaves the peer out: "+strings.Join(peer.Known(), ", "))
	set.StringVar(&o.results, "results", "bench/results", "folder for the table, the raw figures and the charts")
	set.StringVar(&o.into, "into", "", "name of the results; those that are there are joined, if machine and commit are the same (default: the time)")
	set.IntVar(&o.port, "port", 18400, "first of the four ports that are used")
	set.StringVar(&o.cores, "cores", "", "cores of PROXY/LOAD/TARGET, as taskset takes them (default 0/1/2, or 0/1/1)")
	set.BoolVar(&o.smoke, "smoke", false, "everything once and in small, in a minute: says whether the bench works, and nothing of speed")
	set.IntVar(&o.sizes.idle, "idle", 10_000, "idle connections")
	set.IntVar(&o.sizes.deploys, "deploys", 60, "deploys under load, one a second")
	set.IntVar(&o.slow, "slow", 5000, "slow clients")
	set.StringVar(&o.attacks, "attacks", "heads,bodies,readers", "what slow clients do, by commas")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	if set.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", set.Arg(0))
	}
	o.sizes.warm, o.sizes.settle, o.sizes.streams, o.sizes.answers = 300*time.Millisecond, 2*peer.ProbeInterval, 256, 25
	o.sizes.services, o.sizes.probed = []int{1, 1000, 10_000}, []int{1000, 10_000}
	if o.smoke {
		o.slow = 50
		o.rounds, o.runs, o.duration = 1, 1, 100*time.Millisecond
		o.sizes = sizes{
			warm: 50 * time.Millisecond, idle: 200, services: []int{1, 100}, probed: []int{200},
			settle: time.Second, deploys: 1, streams: 16, answers: 2,
		}
	}
	o.sizes.slow = o.slow
	return o, o.check()
}

func (o *options) check() error {
	if !slices.Contains([]string{"off", "on", "both"}, o.log) {
		return fmt.Errorf("--log is %q: choose off, on or both", o.log)
	}
	if o.rounds < 1 || o.runs < 1 || o.duration <= 0 {
		return errors.New("--rounds, --runs and --duration have to be more than 0")
	}
	for name := range strings.SplitSeq(o.attacks, ",") {
		if !slices.ContainsFunc(load.Slownesses, func(s load.Slowness) bool { return s.Name == name }) {
			return fmt.Errorf("--attacks has %q: choose from heads, bodies, readers", name)
		}
	}
	if o.cores == "" {
		o.cores = "0/1/1"
		if machine.Cores() > 2 {
			o.cores = "0/1/2"
		}
	}
	if strings.Count(o.cores, "/") != 2 {
		return fmt.Errorf("--cores is %q: write it as PROXY/LOAD/TARGET", o.cores)
	}
	_, err := o.chosen()
	return err
}

// chosen are the scenarios that were asked for.
func (o *options) chosen() (all []scenario, err error) {
	for name := range strings.SplitSeq(o.scenarios, ",") {
		switch at := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name }); {
		case name == "all":
			all = append(all, slices.DeleteFunc(slices.Clone(scenarios), func(s scenario) bool { return s.byName })...)
		case at >= 0:
			all = append(all, scenarios[at])
		default:
			return nil, fmt.Errorf("no scenario %q: choose from all, %s", name, scenarioNames())
		}
	}
	return all, nil
}

// logs are whether the access log is on, one run after the other.
func (o *options) logs() []bool {
	return map[string][]bool{"off": {false}, "on": {true}, "both": {false, true}}[o.log]
}

// core are the cores of the proxy, the load and the target.
func (o *options) core() (proxy, load, target string) {
	all := strings.Split(o.cores, "/")
	return all[0], all[1], all[2]
}

// peerFlag collects --peer.
type peerFlag map[string]string

func (p peerFlag) String() string { return "" }

// Set takes NAME=PATH.
func (p peerFlag) Set(v string) error {
	name, path, ok := strings.Cut(v, "=")
	if !ok {
		return fmt.Errorf("%q: write it as NAME=PATH", v)
	}
	if !slices.Contains(peer.Known(), name) {
		return fmt.Errorf("no config for peer %q: choose from %s", name, strings.Join(peer.Known(), ", "))
	}
	p[name] = path
	return nil
}

// usual are the peers that are taken where they are installed.
var usual = []string{"nginx", "haproxy", "caddy"}

// findPeers returns Upfront, the peers that were named, and the usual ones.
func (o *options) findPeers() ([]peer.Peer, error) {
	ours, err := peer.Find(report.Ours, filepath.Join(o.bin, "proxyd"))
	if err != nil {
		return nil, fmt.Errorf("%w: run make build first, or set --bin", err)
	}
	all := []peer.Peer{ours}
	// Debian's proxies lie where only root looks.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin")
	for _, name := range slices.Concat(usual, peer.Known()) {
		path, named := o.peers[name]
		if slices.ContainsFunc(all, func(p peer.Peer) bool { return p.Name == name }) || named && path == "" {
			continue
		}
		if !named {
			if path = name; !slices.Contains(usual, name) {
				continue
			}
		}
		found, err := peer.Find(name, path)
		if err != nil && !named && errors.Is(err, exec.ErrNotFound) {
			fmt.Fprintf(os.Stderr, "%s not found: left out\n", name)
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found)
	}
	return all, nil
}
