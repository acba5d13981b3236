package report

import (
	"fmt"
	"html"
	"strings"
)

// The measures of a chart, in pixels.
const (
	panelWidth  = 380
	barHeight   = 18
	labelWidth  = 80
	valueWidth  = 70
	titleHeight = 34
	panelsInRow = 3
)

// Charts are the result as SVG by name: one for each of the units that are worth
// one, with a panel for each metric and a bar for each proxy. A line over a bar goes from
// its lowest to its highest round.
func (r *Result) Charts() map[string]string {
	charts := map[string]string{}
	for _, kind := range []struct{ name, title, unit string }{
		{"cpu", "CPU of the proxy each time, µs: less is better", "µs"},
		{"throughput", "At saturation, requests a second: more is better", "requests/s"},
		{"latency", "Latency, µs: less is better", "µs later"},
		{"memory", "Memory, KB: less is better", "KB"},
	} {
		var panels []row
		for _, one := range r.rows() {
			if one.unit == kind.unit && one.metric != LoadCPU && one.metric != TargetCPU {
				panels = append(panels, one)
			}
		}
		if len(panels) > 0 {
			charts[kind.name] = r.chart(kind.title, panels)
		}
	}
	return charts
}

func (r *Result) chart(title string, panels []row) string {
	names := r.columns()
	height := titleHeight + len(names)*barHeight + 14
	rows := (len(panels) + panelsInRow - 1) / panelsInRow
	width := min(len(panels), panelsInRow) * panelWidth
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" `+
		`font-family="system-ui, sans-serif" font-size="12">`+"\n", width, 60+rows*height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="10" y="22" font-size="16" font-weight="600">%s</text>`+"\n",
		html.EscapeString(title))
	fmt.Fprintf(&b, `<text x="10" y="40" fill="#666">%s</text>`+"\n", html.EscapeString(r.Began+", "+r.About.CPU+", "+r.About.Kernel))
	for i, one := range panels {
		x, y := i%panelsInRow*panelWidth, 50+i/panelsInRow*height
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", x, y)
		r.writePanel(&b, one, names)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (r *Result) writePanel(b *strings.Builder, one row, names []string) {
	title := one.scenario
	if one.metric != CPU {
		title += ": " + one.metric
	}
	fmt.Fprintf(b, `<text x="10" y="22" font-weight="600">%s</text>`+"\n", html.EscapeString(title))
	var top float64
	for _, name := range names {
		if f := r.Find(one.scenario, one.metric, name); f != nil {
			for _, v := range f.Values {
				top = max(top, v)
			}
		}
	}
	scale := float64(panelWidth-labelWidth-valueWidth-20) / max(top, 1e-9)
	y := titleHeight
	for _, name := range names {
		if f := r.Find(one.scenario, one.metric, name); f != nil {
			writeBar(b, f, y, scale)
			y += barHeight
		}
	}
}

func writeBar(b *strings.Builder, f *Figure, y int, scale float64) {
	colour := "#9aa5b1"
	switch f.Proxy {
	case Ours:
		colour = "#2f6fde"
	case Direct:
		colour = "#d8dde3"
	}
	low, high := f.Values[0], f.Values[0]
	for _, v := range f.Values {
		low, high = min(low, v), max(high, v)
	}
	mark := ""
	if f.Noisy() {
		mark = " ~"
	}
	at := func(v float64) float64 { return labelWidth + 10 + max(v, 0)*scale }
	middle := float64(y) + barHeight/2 - 2
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelWidth+4, y+11, html.EscapeString(f.Proxy))
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`,
		labelWidth+10, y, max(f.Median, 0)*scale, barHeight-4, colour)
	fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#222"/>`, at(low), at(high), middle, middle)
	fmt.Fprintf(b, `<text x="%.1f" y="%d">%s%s</text>`+"\n", at(high)+5, y+11, number(f.Median), mark)
}
