package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// report writes the table and the raw figures, and prints the table.
func (r *run) report(dir string) error {
	if len(r.results) == 0 { // of scenarios that write their own
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	table := r.table()
	fmt.Print("\n", table)
	name := filepath.Join(dir, time.Now().UTC().Format("2006-01-02-150405"))
	if err := os.WriteFile(name+".md", []byte(table), 0o644); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(r.results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name+".json", append(raw, '\n'), 0o644)
}

func (r *run) table() string {
	var b strings.Builder
	accessLog := "off for all"
	if r.log {
		accessLog = "to a file, buffered, in Upfront and nginx; off in HAProxy"
	}
	fmt.Fprintf(&b, "%s, %d rounds of %v, %d connections, access log %s\n\n", machine(), r.rounds, r.duration, r.conns, accessLog)
	b.WriteString("| scenario | proxy | median | unit | lowest – highest | Upfront / this |\n|---|---|---|---|---|---|\n")
	for _, x := range r.results {
		lowest, highest := x.Values[0], x.Values[0]
		for _, v := range x.Values {
			lowest, highest = min(lowest, v), max(highest, v)
		}
		fmt.Fprintf(&b, "| %s | %s | %.2f | %s | %.2f – %.2f | %.2f |\n",
			x.Scenario, x.Proxy, x.Median, x.Unit, lowest, highest, r.ours(x.Scenario)/x.Median)
	}
	return b.String()
}

func (r *run) ours(scenario string) float64 {
	for _, x := range r.results {
		if x.Scenario == scenario && x.Proxy == "upfront" {
			return x.Median
		}
	}
	return 0
}

func machine() string {
	cpu := "unknown CPU"
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			cpu = strings.TrimSpace(value)
			break
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return cpu + ", Linux " + strings.TrimSpace(string(kernel))
}

// cell is text for a cell of a table.
func cell(text string) string {
	text = strings.NewReplacer("|", "\\|", "\n", " ").Replace(text)
	if runes := []rune(text); len(runes) > 120 {
		text = string(runes[:120]) + "…"
	}
	return text
}
