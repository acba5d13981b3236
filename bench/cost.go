package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"upfront/bench/load"
	"upfront/bench/peer"
	"upfront/bench/report"
)

// variants are Upfront as it comes, and with one thing switched.
var variants = []struct {
	name     string
	off      bool // it is what others have and this has not
	log      bool
	settings string
}{
	{},
	{name: "access log", log: true},
	{name: "target timeout", off: true, settings: "    target_timeout: off\n"},
	{name: "a probe a second", off: true, settings: "    health_check: {interval: 5m}\n"},
}

// cost measures what each thing costs that Upfront does unasked: those that a setting
// switches, by switching it; the others by their Go benchmarks, which say what the code costs
// with warm caches, and so less than the whole truth.
func (b *bench) cost() error {
	app, err := b.startTarget()
	if err != nil {
		return err
	}
	defer app.stop()
	const scenario = "cost of a default"
	for range b.rounds {
		var plain float64
		for _, v := range variants {
			each, disturbed, err := b.costOf(b.peers[0], app, v.log, v.settings)
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			switch {
			case v.name == "":
				plain = each
				b.add(scenario, "a request with all, no log", "ns", report.Ours, each, disturbed)
			case v.off:
				b.add(scenario, v.name+" (measured)", "ns", report.Ours, plain-each, disturbed)
			default:
				b.add(scenario, v.name+" (measured)", "ns", report.Ours, each-plain, disturbed)
			}
		}
	}
	b.result.Notes = append(b.result.Notes, "Metrics, request id, forwarded headers, passive health and deadlines cannot be switched off: "+
		"what they cost is from Go benchmarks of their code, one call each. A measured cost is the difference of two measurements, and may be noise.")
	b.costBenchmarks(scenario)
	return nil
}

// costOf is what a small GET costs in ns with a setting.
func (b *bench) costOf(p peer.Peer, app *process, log bool, settings string) (float64, string, error) {
	o := b.ask(peer.Options{Settings: settings})
	o.Log = log
	cores, _, _ := b.core()
	proxy, err := p.Start(cores, o)
	if err != nil {
		return 0, "", err
	}
	st := &stage{bench: b, address: o.Listen, proxy: proxy, target: app.pid()}
	defer st.stop()
	job := small(64)
	job.Address = st.address
	l, err := load.Open(job)
	if err != nil {
		return 0, "", err
	}
	defer l.Close()
	if _, err := l.Run(b.sizes.warm); err != nil {
		return 0, "", err
	}
	var got load.Result
	used, err := st.usage(func() (err error) {
		got, err = l.Run(b.duration)
		return err
	})
	return float64(used.Proxy) / float64(got.Answered), used.Disturbed(), err
}

// costBenchmarks adds what BenchmarkCost of the proxy says, where there is Go and the source.
func (b *bench) costBenchmarks(scenario string) {
	cores, _, _ := b.core()
	args := []string{"-c", cores, "go", "test", "-run", "^$", "-bench", "^BenchmarkCost$", "-count", strconv.Itoa(min(b.rounds, 5))}
	if b.smoke {
		args = append(args, "-benchtime", "1000x")
	}
	out, err := exec.Command("taskset", append(args, "./proxy")...).CombinedOutput()
	if err != nil { // no Go, or no source here: the table says so
		b.result.Notes = append(b.result.Notes, "No Go benchmarks: "+strings.TrimSpace(string(out)))
		out = nil
	}
	for _, one := range parseBenchmarks(out) {
		b.add(scenario, one.name+" (benchmark)", "ns", report.Ours, one.ns, "")
	}
}

// benchmark is one line of go test -bench.
type benchmark struct {
	name string // of the sub-benchmark, dashes as spaces
	ns   float64
}

func parseBenchmarks(out []byte) (all []benchmark) {
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != "ns/op" {
			continue
		}
		ns, err := strconv.ParseFloat(fields[2], 64)
		_, name, ok := strings.Cut(fields[0], "/")
		if err != nil || !ok {
			continue
		}
		// go test puts the number of cores behind the name, where there is more than one.
		if at := strings.LastIndexByte(name, '-'); at > 0 {
			if _, err := strconv.Atoi(name[at+1:]); err == nil {
				name = name[:at]
			}
		}
		all = append(all, benchmark{strings.ReplaceAll(name, "-", " "), ns})
	}
	return all
}
