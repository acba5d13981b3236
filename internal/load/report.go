package load

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what became of all requests. Every message of a WebSocket counts as
// a request. It marshals to JSON, with durations in nanoseconds.
type Report struct {
	Address  string    `json:"address"`
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended"` // now, while still running
	Requests int64     `json:"requests"`
	Failed   int64     `json:"failed"`
	// Latency of GETs, both modes together.
	Latency  Latency      `json:"latency"`
	Modes    []ModeReport `json:"modes"`
	Versions []Version    `json:"versions"` // in the order of their first answer
	// Failures with their cause, the first Options.MaxFailures of them.
	Failures []Failure `json:"failures"`
}

// ModeReport is what became of the requests of one mode.
type ModeReport struct {
	Mode        Mode  `json:"mode"`
	Workers     int   `json:"workers"`
	Requests    int64 `json:"requests"`
	Failed      int64 `json:"failed"`
	Connections int64 `json:"connections"`
	// Reconnected is how often a kept connection had ended properly.
	Reconnected int64 `json:"reconnected"`
	// Moved is how many WebSockets were ended by the proxy with 1001.
	Moved int64 `json:"moved,omitempty"`
	Bytes int64 `json:"bytes"` // of bodies and messages, verified
	// Latency from the first byte of the request, connect included, to the last
	// one of the answer.
	Latency Latency `json:"latency"`
	// FirstByte is when the first byte of a streamed body arrived.
	FirstByte Latency `json:"first_byte,omitzero"`
}

// Latency is a distribution of durations.
type Latency struct {
	P50  time.Duration `json:"p50"`
	P90  time.Duration `json:"p90"`
	P99  time.Duration `json:"p99"`
	P999 time.Duration `json:"p999"`
	Max  time.Duration `json:"max"`
}

// Version is what one version of the app answered.
type Version struct {
	Name     string    `json:"name"`
	Requests int64     `json:"requests"`
	First    time.Time `json:"first"` // end of its first answer
	Last     time.Time `json:"last"`  // end of its last answer
	// LastSent is when the last request that it answered was sent, WebSocket
	// messages aside.
	LastSent time.Time `json:"last_sent,omitzero"`
}

// Failure is one failed request.
type Failure struct {
	At        time.Time `json:"at"`
	Sent      time.Time `json:"sent"`
	Mode      Mode      `json:"mode"`
	Cause     string    `json:"cause"`
	Version   string    `json:"version,omitempty"`
	LocalPort int       `json:"local_port,omitempty"`
	Reused    bool      `json:"reused"` // on a connection that had worked before
}

func quantiles(h *Histogram) Latency {
	return Latency{P50: h.Quantile(0.5), P90: h.Quantile(0.9), P99: h.Quantile(0.99), P999: h.Quantile(0.999), Max: h.Max()}
}

// Version returns what the named version answered, and whether it did.
func (r *Report) Version(name string) (Version, bool) {
	for _, v := range r.Versions {
		if v.Name == name {
			return v, true
		}
	}
	return Version{}, false
}

// Mode returns the report of one mode, zero when it did not run.
func (r *Report) Mode(mode Mode) ModeReport {
	for _, m := range r.Modes {
		if m.Mode == mode {
			return m
		}
	}
	return ModeReport{Mode: mode}
}

// Moved is how many WebSockets the proxy ended with 1001.
func (r *Report) Moved() int64 { return r.Mode(WebSocket).Moved }

// WriteJSON writes the report as one indented JSON document.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteText writes the report for people, with at most 10 failures.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "requests\tfailed\tp50\tp99\tmax\t  mode")
	for _, m := range r.Modes {
		note := ""
		if m.Moved > 0 {
			note = fmt.Sprintf(" (%d moved with 1001)", m.Moved)
		}
		if m.FirstByte.Max > 0 {
			note = fmt.Sprintf(" (first piece p99 %s)", Round(m.FirstByte.P99))
		}
		fmt.Fprintf(t, "%d\t%d\t%s\t%s\t%s\t  %s%s\n", m.Requests, m.Failed,
			Round(m.Latency.P50), Round(m.Latency.P99), Round(m.Latency.Max), m.Mode, note)
	}
	fmt.Fprintf(t, "%d\t%d\t\t\t\t  all, in %s\n", r.Requests, r.Failed, Round(r.Ended.Sub(r.Began)))
	if err := t.Flush(); err != nil {
		return err
	}
	return r.writeFailures(w)
}

func (r *Report) writeFailures(w io.Writer) error {
	const most = 10
	for i, f := range r.Failures {
		if i == most {
			_, err := fmt.Fprintf(w, "... and %d more failures\n", r.Failed-most)
			return err
		}
		kept := "new connection"
		if f.Reused {
			kept = "kept connection"
		}
		if _, err := fmt.Fprintf(w, "%s failed: %s, port %d, %s, sent %s before: %s\n", f.At.Format("15:04:05.000"),
			f.Mode, f.LocalPort, kept, Round(f.At.Sub(f.Sent)), f.Cause); err != nil {
			return err
		}
	}
	return nil
}

// String is the report as WriteText writes it.
func (r *Report) String() string {
	var b strings.Builder
	_ = r.WriteText(&b) // a Builder takes everything
	return b.String()
}

// Round rounds a duration to three digits, for people.
func Round(d time.Duration) time.Duration {
	step := time.Duration(1)
	for d/step >= 1000 {
		step *= 10
	}
	return d.Round(step)
}
