package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// run is what a scenario gets.
type run struct {
	rounds   int
	duration time.Duration
	conns    int
	idle     int
	log      bool
	dir      string // for configs, sockets and logs; removed at the end
	proxies  []proxy
	results  []result
	out      string // folder for what is found
}

// result is one row of the table.
type result struct {
	Scenario string    `json:"scenario"`
	Proxy    string    `json:"proxy"`
	Unit     string    `json:"unit"`
	Values   []float64 `json:"values"` // one a round
	Median   float64   `json:"median"`
}

var scenarios = map[string]func(*run) error{
	"get":       (*run).get,
	"idle":      (*run).idleConnections,
	"switch":    (*run).switchTime,
	"stream":    (*run).stream,
	"hostile":   (*run).hostile,
	"websocket": (*run).webSockets,
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "target" {
		fatal(serveTarget(os.Args[2:]))
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "streams" {
		fatal(serveStreams(os.Args[2:]))
		return
	}
	r := &run{}
	names := flag.String("scenario", "get,idle,switch,stream", "scenarios to run")
	flag.IntVar(&r.rounds, "rounds", 7, "rounds of each scenario, interleaved over the proxies")
	flag.DurationVar(&r.duration, "duration", 3*time.Second, "length of one round")
	flag.IntVar(&r.conns, "connections", 64, "keep-alive connections of the get scenario")
	flag.IntVar(&r.idle, "idle", 5000, "connections of the idle scenario")
	flag.BoolVar(&r.log, "log", false, "let proxies that can write an access log to a file do so")
	bin := flag.String("bin", "bin", "folder of proxyd and proxyctl")
	peers := peerFlag{"nginx": "nginx", "haproxy": "haproxy"}
	flag.Var(peers, "peer", "NAME=PATH of a peer's binary; an empty path leaves the peer out")
	out := flag.String("results", "bench/results", "folder for the table and the raw figures")
	flag.Parse()
	fatal(r.all(strings.Split(*names, ","), *bin, peers, *out))
}

func (r *run) all(names []string, bin string, peers peerFlag, out string) error {
	for _, name := range names {
		if scenarios[name] == nil {
			return fmt.Errorf("no scenario %q: choose from get, idle, switch, stream, hostile, websocket", name)
		}
	}
	if err := r.checkMachine(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "upfront-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r.dir, r.out = dir, out
	if r.proxies, err = r.findProxies(bin, peers); err != nil {
		return err
	}
	for _, name := range names {
		if err := scenarios[name](r); err != nil {
			return fmt.Errorf("scenario %s: %w", name, err)
		}
	}
	if len(r.results) == 0 {
		return nil // a scenario that judges writes its own table
	}
	return r.report(out)
}

// checkMachine refuses a machine that cannot give a fair figure.
func (r *run) checkMachine() error {
	if runtime.GOOS != "linux" || runtime.NumCPU() < 2 {
		return fmt.Errorf("the bench needs Linux and two cores")
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		return fmt.Errorf("the bench pins with taskset: install util-linux")
	}
	if exec.Command("docker", "info").Run() == nil {
		fmt.Fprintln(os.Stderr, "warning: a Docker daemon is running; its NAT rules tax every packet")
	}
	return nil
}

// add records one value and prints it, so that a long run shows its way.
func (r *run) add(scenario, proxy, unit string, value float64) {
	fmt.Printf("%-22s %-10s %12.2f %s\n", scenario, proxy, value, unit)
	for i := range r.results {
		if x := &r.results[i]; x.Scenario == scenario && x.Proxy == proxy {
			x.Values = append(x.Values, value)
			x.Median = median(x.Values)
			return
		}
	}
	r.results = append(r.results, result{Scenario: scenario, Proxy: proxy, Unit: unit, Values: []float64{value}, Median: value})
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// peerFlag collects --peer.
type peerFlag map[string]string

func (p peerFlag) String() string { return "" }

func (p peerFlag) Set(v string) error {
	name, path, ok := strings.Cut(v, "=")
	if !ok {
		return fmt.Errorf("%q: write it as NAME=PATH", v)
	}
	p[name] = path
	return nil
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
