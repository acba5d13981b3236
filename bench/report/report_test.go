package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"upfront/bench/machine"
)

func sample() *Result {
	r := &Result{
		Began: "2026-01-02", About: machine.About{CPU: "a <fast> one", Commit: "c0ffee"}, Rounds: 3, Duration: "1s",
		Cores: "proxy on core 0", Command: "go run ./bench", Proxies: []Proxy{{Name: Ours, Version: "1"}, {Name: "nginx", Version: "2"}},
	}
	for i, v := range []float64{10, 12, 11} {
		r.Add("small", CPU, "µs", Ours, v, "")
		r.Add("small", CPU, "µs", "nginx", 20+float64(i)/10, "")
		r.Add("small", "throughput", "requests/s", Ours, 1000, "")
		r.Add("small", "throughput", "requests/s", "nginx", 500, "")
		r.Add("small", LoadCPU, "µs", Direct, 5, "")
		r.Add("small", TargetCPU, "µs", Direct, 7, "")
	}
	r.Add("idle", "a connection", "KB", "nginx", 1, "other processes took 9 % of a core")
	return r
}

func TestResult_Table(t *testing.T) {
	got := sample().Table()
	if strings.Contains(got, LoadCPU) {
		t.Errorf("want no row %q in\n%s", LoadCPU, got)
	}
	for _, want := range []string{
		"| scenario | metric | upfront | nginx | direct | Upfront / best other |",
		"| small | CPU, µs | 11.0 ~ | 20.1 | – | 0.55 |",
		"|  | throughput, requests/s | 1000 | 500 | – | 2.00 |",
		"| idle | a connection, KB | – | 1.00 ~ | – | |",
		"2 of 7 figures",
		"disturbed by other processes: 1.",
		"| small | 5.00 | 7.00 | 11.0 (upfront) | each less, **together more** |",
		"commit c0ffee", "access log off for all", "`go run ./bench`",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{5, 1, 9}, 5}} {
		if got := Median(test.in); got != test.want {
			t.Errorf("%v: got %v, want %v", test.in, got, test.want)
		}
	}
}

func TestFigure_Spread_dropsTheExtremesOfFive(t *testing.T) {
	f := Figure{Values: []float64{10, 10.5, 10.2, 99, 1}, Median: 10.2}
	if got, want := f.Spread(), 0.5/10.2; math.Abs(got-want) > 1e-9 {
		t.Errorf("got %v, want %v", got, want)
	}
	if f.Noisy() {
		t.Error("noisy: got true")
	}
}

func TestResult_Charts_areSVG(t *testing.T) {
	charts := sample().Charts()
	for _, name := range []string{"cpu", "throughput", "memory"} {
		text := charts[name]
		if !strings.Contains(text, "nginx") {
			t.Errorf("%s: no bar of nginx in %q", name, text)
		}
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	if charts["latency"] != "" {
		t.Error("latency: got a chart without figures")
	}
}

func TestResult_WriteReadJoin(t *testing.T) {
	dir := t.TempDir()
	if got, err := Read(dir, "x"); got != nil || err != nil {
		t.Errorf("none: got %v, %v", got, err)
	}
	if err := sample().Write(dir, "x"); err != nil {
		t.Fatal(err)
	}
	earlier, err := Read(dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	next := &Result{About: earlier.About, Command: "again"}
	next.Add("idle", "a connection", "KB", "nginx", 7, "")
	if err := next.Fits(earlier); err != nil {
		t.Fatal(err)
	}
	next.Join(earlier)
	if got := next.Find("idle", "a connection", "nginx"); got.Median != 7 || len(got.Values) != 1 {
		t.Errorf("measured again: got %+v, want the new one alone", got)
	}
	if got := next.Find("small", CPU, Ours); got == nil || got.Median != 11 {
		t.Errorf("kept: got %+v, want 11", got)
	}
	next.About.Commit = "other"
	if err := next.Fits(earlier); err == nil || !strings.Contains(err.Error(), "commits") {
		t.Errorf("another commit: got %v, want a refusal", err)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0.00", 0.1234: "0.123", 1.234: "1.23", 12.34: "12.3", 1234.5: "1234", -3: "-3.00"} {
		if got := number(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}
