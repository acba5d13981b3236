package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Write writes the table, the raw figures and the charts into a folder, as NAME.md,
// NAME.json and NAME-CHART.svg.
func (r *Result) Write(dir, name string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	var table strings.Builder
	table.WriteString(r.Table())
	charts := r.Charts()
	for _, chart := range slices.Sorted(maps.Keys(charts)) {
		if err := os.WriteFile(path+"-"+chart+".svg", []byte(charts[chart]), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&table, "![%s](%s-%s.svg)\n", chart, name, chart)
	}
	if err := os.WriteFile(path+".md", []byte(table.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(path+".json", append(raw, '\n'), 0o644)
}

// Read reads what Write wrote; nil when there is none of that name.
func Read(dir, name string) (*Result, error) {
	raw, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Result{}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return r, nil
}

// Fits refuses an earlier part that does not belong together with r.
func (r *Result) Fits(earlier *Result) error {
	for _, same := range []struct{ what, a, b string }{
		{"machines", earlier.About.CPU + earlier.About.Kernel, r.About.CPU + r.About.Kernel},
		{"commits", earlier.About.Commit, r.About.Commit},
		{"access logs", fmt.Sprint(earlier.Log), fmt.Sprint(r.Log)},
	} {
		if same.a != same.b {
			return fmt.Errorf("join results: different %s: %q and %q", same.what, same.a, same.b)
		}
	}
	return nil
}

// Join puts the figures of an earlier part, which has to fit, before those of r, but
// for scenarios that r has measured again.
func (r *Result) Join(earlier *Result) {
	again := map[string]bool{}
	for _, f := range r.Figures {
		again[f.Scenario] = true
	}
	var kept []*Figure
	for _, f := range earlier.Figures {
		if !again[f.Scenario] {
			kept = append(kept, f)
		}
	}
	r.Figures = append(kept, r.Figures...)
	for _, p := range earlier.Proxies {
		if !r.has(p.Name) {
			r.Proxies = append(r.Proxies, p)
		}
	}
	r.Command = earlier.Command + "`; `" + r.Command
	r.Rounds = max(r.Rounds, earlier.Rounds)
	r.Notes = append(slices.Clone(earlier.Notes), r.Notes...)
}

func (r *Result) has(proxy string) bool {
	for _, p := range r.Proxies {
		if p.Name == proxy {
			return true
		}
	}
	return false
}
