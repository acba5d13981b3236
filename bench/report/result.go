package report

import (
	"fmt"
	"slices"

	"upfront/bench/machine"
)

// Ours and Direct are the names of Upfront, and of the load against the target
// without a proxy.
const (
	Ours   = "upfront"
	Direct = "direct"
)

// Result is one run of the bench.
type Result struct {
	Began    string        `json:"began"` // UTC
	About    machine.About `json:"machine"`
	Command  string        `json:"command"`
	Log      bool          `json:"access_log"`
	Rounds   int           `json:"rounds"`
	Duration string        `json:"duration"` // of a round
	Cores    string        `json:"cores"`
	Proxies  []Proxy       `json:"proxies"`
	Figures  []*Figure     `json:"figures"`
	Notes    []string      `json:"notes,omitempty"`
}

// Proxy is one that was measured.
type Proxy struct {
	Name    string            `json:"name"`
	Version string            `json:"version"`
	Command string            `json:"command,omitempty"`
	Config  map[string]string `json:"config,omitempty"` // by name of the file; of the plainest scenario
	Log     string            `json:"log,omitempty"`    // how it writes its access log
}

// Figure is what one metric of a scenario came to for one proxy.
type Figure struct {
	Scenario string    `json:"scenario"`
	Metric   string    `json:"metric"`
	Unit     string    `json:"unit"`
	Proxy    string    `json:"proxy"`
	Values   []float64 `json:"values"` // one a round
	Median   float64   `json:"median"`
	Noise    []string  `json:"noise,omitempty"` // why it should be doubted
}

// Add records what a round gave; disturbed says what disturbed it, "" for nothing.
func (r *Result) Add(scenario, metric, unit, proxy string, value float64, disturbed string) {
	f := r.Find(scenario, metric, proxy)
	if f == nil {
		f = &Figure{Scenario: scenario, Metric: metric, Unit: unit, Proxy: proxy}
		r.Figures = append(r.Figures, f)
	}
	f.Values = append(f.Values, value)
	f.Median = Median(f.Values)
	if disturbed != "" {
		f.Noise = append(f.Noise, fmt.Sprintf("round %d: %s", len(f.Values), disturbed))
	}
}

// Find is a figure, or nil.
func (r *Result) Find(scenario, metric, proxy string) *Figure {
	for _, f := range r.Figures {
		if f.Scenario == scenario && f.Metric == metric && f.Proxy == proxy {
			return f
		}
	}
	return nil
}

// maxSpread is how far the rounds may lie apart, as a share of their median.
const maxSpread = 0.10

// Spread is how far the rounds lie apart as a share of their median: of five and more,
// without the lowest and the highest.
func (f *Figure) Spread() float64 {
	sorted := slices.Sorted(slices.Values(f.Values))
	if len(sorted) >= 5 {
		sorted = sorted[1 : len(sorted)-1]
	}
	if len(sorted) < 2 || f.Median == 0 {
		return 0
	}
	return (sorted[len(sorted)-1] - sorted[0]) / max(f.Median, -f.Median)
}

// Noisy says that the figure should be doubted: its rounds lie apart, or half of them
// were disturbed.
func (f *Figure) Noisy() bool {
	return f.Spread() > maxSpread || len(f.Noise) > 0 && 2*len(f.Noise) >= len(f.Values)
}

// Median is the middle of values, 0 of none.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// row is one line of the table: a metric of a scenario.
type row struct{ scenario, metric, unit string }

// rows are the scenarios and metrics, in the order in which they were first added.
func (r *Result) rows() (rows []row) {
	for _, f := range r.Figures {
		if one := (row{f.Scenario, f.Metric, f.Unit}); !slices.Contains(rows, one) {
			rows = append(rows, one)
		}
	}
	return rows
}

// columns are the proxies that have a figure, in the order of the run; others, such
// as direct, behind them.
func (r *Result) columns() (names []string) {
	for _, p := range r.Proxies {
		names = append(names, p.Name)
	}
	for _, f := range r.Figures {
		if !slices.Contains(names, f.Proxy) {
			names = append(names, f.Proxy)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !slices.ContainsFunc(r.Figures, func(f *Figure) bool { return f.Proxy == name })
	})
}

// moreIsBetter are the units of which more is better.
var moreIsBetter = []string{"requests/s", "messages/s", "events/s", "MB/s", "of cases"}

// facts are metrics that say how something was measured, and no merit.
var facts = []string{"rate", "deploys", "probes that came"}

// best is the best of the other proxies in a row, or nil.
func (r *Result) best(one row) (best *Figure) {
	if slices.Contains(facts, one.metric) {
		return nil
	}
	for _, f := range r.Figures {
		if f.Scenario != one.scenario || f.Metric != one.metric || f.Proxy == Ours || f.Proxy == Direct {
			continue
		}
		better := best == nil || f.Median < best.Median
		if best != nil && slices.Contains(moreIsBetter, f.Unit) {
			better = f.Median > best.Median
		}
		if better {
			best = f
		}
	}
	return best
}
