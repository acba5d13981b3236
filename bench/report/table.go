package report

import (
	"fmt"
	"strconv"
	"strings"
)

// Table is the result in Markdown: what it was made with, the figures, and what
// should be doubted.
func (r *Result) Table() string {
	var b strings.Builder
	r.writeHead(&b)
	r.writeFigures(&b)
	r.writeNoise(&b)
	r.writeHarness(&b)
	return b.String()
}

func (r *Result) writeHead(b *strings.Builder) {
	log := "off for all"
	if r.Log {
		log = "on for all"
	}
	fmt.Fprintf(b, "%s\n\n%s; %s; medians of up to %d interleaved rounds of %s; access log %s\n\n",
		r.Began, r.About, r.Cores, r.Rounds, r.Duration, log)
	fmt.Fprintf(b, "`%s`\n\n", r.Command)
	for _, p := range r.Proxies {
		fmt.Fprintf(b, "- %s: %s", p.Name, p.Version)
		if r.Log && p.Log != "" {
			fmt.Fprintf(b, "; access log %s", p.Log)
		}
		b.WriteString("\n")
	}
	for _, note := range r.Notes {
		fmt.Fprintf(b, "- %s\n", note)
	}
	if r.About.Tracked > 0 {
		fmt.Fprintf(b, "- The kernel tracks connections (%d): every packet is taxed.\n", r.About.Tracked)
	}
	b.WriteString("\n")
}

func (r *Result) writeFigures(b *strings.Builder) {
	names := r.columns()
	fmt.Fprintf(b, "| scenario | metric | %s | Upfront / best other |\n", strings.Join(names, " | "))
	b.WriteString("|---|---|" + strings.Repeat("---:|", len(names)) + "---:|\n")
	last := ""
	for _, one := range r.rows() {
		if one.metric == LoadCPU || one.metric == TargetCPU {
			continue // in a table of their own
		}
		scenario := one.scenario
		if scenario == last {
			scenario = ""
		}
		last = one.scenario
		fmt.Fprintf(b, "| %s | %s, %s |", scenario, one.metric, one.unit)
		for _, name := range names {
			f := r.Find(one.scenario, one.metric, name)
			switch {
			case f == nil:
				b.WriteString(" – |")
			case f.Noisy():
				fmt.Fprintf(b, " %s ~ |", number(f.Median))
			default:
				fmt.Fprintf(b, " %s |", number(f.Median))
			}
		}
		ours, best := r.Find(one.scenario, one.metric, Ours), r.best(one)
		if ours == nil || best == nil || best.Median <= 0 || ours.Median < 0 {
			b.WriteString(" |\n")
			continue
		}
		fmt.Fprintf(b, " %.2f |\n", ours.Median/best.Median)
	}
	b.WriteString("\n")
}

func (r *Result) writeNoise(b *strings.Builder) {
	noisy, reasons := 0, map[string]int{}
	for _, f := range r.Figures {
		if f.Noisy() {
			noisy++
		}
		for _, reason := range f.Noise {
			_, what, _ := strings.Cut(reason, ": ")
			what, _, _ = strings.Cut(what, " took")
			reasons[what]++
		}
	}
	if noisy == 0 {
		b.WriteString("No figure is noisy.\n\n")
		return
	}
	fmt.Fprintf(b, "**Noisy:** %d of %d figures, marked ~: their rounds lie more than %.0f %% of the median apart "+
		"(without the lowest and the highest), or half of their rounds were disturbed.", noisy, len(r.Figures), 100*maxSpread)
	for _, what := range []string{"other processes", "the hypervisor"} {
		if n := reasons[what]; n > 0 {
			fmt.Fprintf(b, " Values disturbed by %s: %d.", what, n)
		}
	}
	b.WriteString("\n\n")
}

// The metrics that a scenario adds for the bench itself.
const (
	CPU       = "CPU"
	LoadCPU   = "CPU of the load"
	TargetCPU = "CPU of the target"
)

// writeHarness compares what load and target cost with what the cheapest proxy costs.
func (r *Result) writeHarness(b *strings.Builder) {
	var lines strings.Builder
	for _, one := range r.rows() {
		load := r.Find(one.scenario, LoadCPU, Direct)
		target := r.Find(one.scenario, TargetCPU, Direct)
		if one.metric != CPU || load == nil || target == nil {
			continue
		}
		cheapest := r.best(one)
		if ours := r.Find(one.scenario, CPU, Ours); cheapest == nil || ours != nil && ours.Median < cheapest.Median {
			cheapest = ours
		}
		if cheapest == nil {
			continue
		}
		verdict := "less"
		if load.Median >= cheapest.Median || target.Median >= cheapest.Median {
			verdict = "**more**"
		} else if load.Median+target.Median >= cheapest.Median {
			verdict = "each less, **together more**"
		}
		fmt.Fprintf(&lines, "| %s | %s | %s | %s (%s) | %s |\n", one.scenario, number(load.Median), number(target.Median),
			number(cheapest.Median), cheapest.Proxy, verdict)
	}
	if lines.Len() == 0 {
		return
	}
	b.WriteString("What the bench itself costs, measured without a proxy between load and target, µs each time:\n\n" +
		"| scenario | load | target | cheapest proxy | the bench costs |\n|---|---:|---:|---:|---|\n" + lines.String() + "\n")
}

// number writes a figure with three digits or more, and no more than two behind the point.
func number(v float64) string {
	size := max(v, -v)
	switch {
	case size >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 1 || size == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}
