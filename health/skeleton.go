package health

import (
	"context"
	"time"
)

// SKELETON: signatures that other packages compile against; replaced by
// options.go, result.go, prober.go, tracker.go, monitor.go.

type Options struct {
	Address          string   // host:port of the target
	Paths            []string // default ["/up"]; all must be good
	Port             int      // 0: the target's own
	Host             string   // Host header; "" = address
	Headers          map[string]string
	Interval         time.Duration // default 1s
	Timeout          time.Duration // default 5s, whole probe
	HealthyThreshold int           // default 1
	MaxAttempts      int           // default 3
	StatusMin        int           // default 200
	StatusMax        int           // default 299
	Body             string
	// Initial is the status before the first probe: Starting, or Healthy for a
	// target that was healthy when the state was saved.
	Initial Status
	// Dial connects to the target. Nil is a net.Dialer without a DNS cache.
	Dial func(ctx context.Context, address string) (interface{ Close() error }, error)
}

// Result is what one probe saw.
type Result struct {
	OK       bool
	Path     string            // of the failed probe, else the last path
	Code     int               // HTTP status, 0 when there was no answer
	Checks   map[string]string // of a JSON answer
	Err      error
	At       time.Time
	Duration time.Duration
}

// String is one sentence: "GET /up: 503, checks: database=false".
func (r Result) String() string { return "" }

// Change is a verdict that differs from the one before.
type Change struct {
	From, To Status
	Reason   string
}

type Monitor struct{}

func NewMonitor(o Options, onChange func(Change)) *Monitor { return nil }
func (m *Monitor) Run(ctx context.Context)                 {}
func (m *Monitor) Status() Status                          { return Starting }
func (m *Monitor) Since() time.Time                        { return time.Time{} }

// Last returns the last probe's result; ok is false before the first probe.
func (m *Monitor) Last() (Result, bool) { return Result{}, false }

// Suspect reports evidence of traffic: the target turns unhealthy at once and is
// probed at once. Never blocks; safe for concurrent use.
func (m *Monitor) Suspect(reason string) {}
