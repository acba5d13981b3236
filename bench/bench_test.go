package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"upfront/bench/peer"
	"upfront/bench/report"
)

func TestParseOptions(t *testing.T) {
	for _, test := range []struct {
		name string
		args string
		want string // in the error; "" for none
	}{
		{"nothing", "", ""},
		{"scenarios", "--scenario get,20k --log both --runs 2", ""},
		{"cores", "--cores 0-1/2/3", ""},
		{"unknown scenario", "--scenario gets", `no scenario "gets": choose from all, get,`},
		{"unknown log", "--log yes", "choose off, on or both"},
		{"unknown peer", "--peer squid=squid", "choose from"},
		{"peer without a path", "--peer nginx", "NAME=PATH"},
		{"wrong cores", "--cores 1", "PROXY/LOAD/TARGET"},
		{"no rounds", "--rounds 0", "more than 0"},
		{"argument", "get", `unknown argument "get"`},
	} {
		_, err := parseOptions(strings.Fields(test.args))
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

func TestOptions_chosen_allIsWhatMeasures(t *testing.T) {
	o, err := parseOptions([]string{"--scenario", "all,h2"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := o.chosen()
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.name
	}
	if slices.Contains(names, "hostile") || !slices.Contains(names, "get") || names[len(names)-1] != "h2" {
		t.Errorf("got %v, want those that measure, and h2 behind them", names)
	}
}

func TestResultName_tellsRunsAndLogsApart(t *testing.T) {
	o := options{into: "x", runs: 2}
	if got, want := resultName(o, 1, true), "x-run2-log"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	o.runs = 1
	if got, want := resultName(o, 0, false), "x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestInterleave_beginsWithAnotherAndLeavesOutWhoCannot(t *testing.T) {
	b := &bench{result: &report.Result{}}
	var order []string
	err := b.interleave("s", 3, []subject{{name: "a"}, {name: "b"}, {name: "c"}}, func(s subject) error {
		order = append(order, s.name)
		if s.name == "b" {
			return peer.CannotError("it cannot")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(order, ""), "abc"+"ca"+"ca"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := []string{"s, b: it cannot."}; !slices.Equal(b.result.Notes, want) {
		t.Errorf("notes: got %q, want %q", b.result.Notes, want)
	}
	broken := errors.New("broken")
	err = b.interleave("s", 1, []subject{{name: "a"}}, func(subject) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the round", err)
	}
}

func TestParseBenchmarks(t *testing.T) {
	out := "goos: linux\nBenchmarkCost/metrics-2   100000   6.481 ns/op\nBenchmarkCost/a-deadline-16  9  212.7 ns/op  0 B/op\n" +
		"BenchmarkCost/passive-health   9  1 ns/op\nPASS\nok  \tupfront/proxy\t0.2s\n"
	got := parseBenchmarks([]byte(out))
	want := []benchmark{{"metrics", 6.481}, {"a deadline", 212.7}, {"passive health", 1}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPercentile(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for p, want := range map[int]float64{0: 1, 50: 3, 99: 5, 100: 5} {
		if got := percentile(values, p); got != want {
			t.Errorf("p%d: got %v, want %v", p, got, want)
		}
	}
}

func TestBench_ask_completesWhatAScenarioWants(t *testing.T) {
	b := &bench{options: options{port: 18400, sizes: sizes{idle: 10, warm: time.Second}}, dir: "/d", withLog: true}
	got := b.ask(peer.Options{Services: 3})
	if got.Listen != "127.0.0.1:18400" || got.Target != "127.0.0.1:18401" || !got.Log || got.Services != 3 || got.Dir != "/d" {
		t.Errorf("got %+v", got)
	}
}
