package load

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"upfront/internal/testtarget"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun_everyModeAgainstAGoodTarget(t *testing.T) {
	target := testtarget.Start(t, testtarget.Options{Version: "v3"})
	var workers []Workers
	for _, mode := range Modes {
		workers = append(workers, Workers{Mode: mode, Connections: 2})
	}
	report, err := Run(t.Context(), Options{
		Address: target.Addr(), Workers: workers, Requests: 500,
		StreamTime: 30 * time.Millisecond, StreamPieces: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Requests != 500 || report.Failed != 0 || len(report.Failures) != 0 {
		t.Fatalf("report:\n%s", report)
	}
	for _, mode := range Modes {
		m := report.Mode(mode)
		if m.Requests == 0 || m.Latency.P50 == 0 || m.Latency.Max < m.Latency.P99 {
			t.Errorf("%s: %+v, want requests with latencies", mode, m)
		}
	}
	if got := report.Mode(KeepAlive).Connections; got != 2 {
		t.Errorf("keep-alive connections = %d, want 2", got)
	}
	if got := report.Mode(Stream); got.FirstByte.Max >= got.Latency.Max {
		t.Errorf("first piece after %v of %v: was not streamed", got.FirstByte.Max, got.Latency.Max)
	}
	v, ok := report.Version("v3")
	if !ok || v.Requests != 500 || v.Last.Before(v.First) || v.LastSent.IsZero() {
		t.Errorf("version v3 = %+v, %v, want all 500 requests", v, ok)
	}
	if got := target.Stats().InFlight; got != 0 {
		t.Errorf("in flight at the target after Run = %d, want 0", got)
	}
}

func TestRun_stopsWhenCanceledAndFinishesWhatIsUnderWay(t *testing.T) {
	target := testtarget.Start(t, testtarget.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	g, err := New(Options{
		Address: target.Addr(), StreamTime: 100 * time.Millisecond,
		Workers: []Workers{{Mode: Stream, Connections: 3}, {Mode: KeepAlive, Pace: time.Hour, Connections: 2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	waitFor(t, "all streams to be under way", func() bool { return target.Stats().InFlight == 3 })
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if r := g.Report(); r.Mode(Stream).Requests != 3 || r.Failed != 0 {
		t.Errorf("report:\n%s\nwant 3 whole streams", r)
	}
}

func TestRun_countsRefusedConnections(t *testing.T) {
	target := testtarget.Start(t, testtarget.Options{Mode: testtarget.Refuse})
	report, err := Run(t.Context(), Options{Address: target.Addr(), Requests: 5})
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed != 5 || len(report.Failures) != 5 || !strings.Contains(report.Failures[0].Cause, "refused") {
		t.Errorf("report:\n%s\nwant 5 refused", report)
	}
}

func TestRun_countsAHangAsFailure(t *testing.T) {
	target := testtarget.Start(t, testtarget.Options{Mode: testtarget.Hang})
	report, err := Run(t.Context(), Options{Address: target.Addr(), Requests: 1, Timeout: 30 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed != 1 || !strings.Contains(report.Failures[0].Cause, "timeout") {
		t.Errorf("report:\n%s\nwant a timeout", report)
	}
}

func TestRun_keepsAtMostMaxFailures(t *testing.T) {
	target := testtarget.Start(t, testtarget.Options{Mode: testtarget.Reset})
	report, err := Run(t.Context(), Options{Address: target.Addr(), Requests: 30, MaxFailures: 12})
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed != 30 || len(report.Failures) != 12 {
		t.Errorf("failed %d, kept %d, want 30 and 12", report.Failed, len(report.Failures))
	}
	if text := report.String(); !strings.Contains(text, "and 20 more failures") {
		t.Errorf("text does not say how many failures are left out:\n%s", text)
	}
}

func TestNew_refusesWhatCannotRun(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("New without an address succeeded")
	}
	if _, err := New(Options{Address: "x:1", Workers: []Workers{{Mode: "gopher"}}}); err == nil {
		t.Error("New with an unknown mode succeeded")
	}
}

func TestReport_isJSON(t *testing.T) {
	target := testtarget.Start(t, testtarget.Options{})
	report, err := Run(t.Context(), Options{Address: target.Addr(), Requests: 3})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := report.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil {
		t.Fatal(err)
	}
	if back.Requests != 3 || back.Modes[0].Mode != KeepAlive || back.Versions[0].Name != "v1" {
		t.Errorf("JSON came back as %+v", back)
	}
}

// waitFor polls until done reports true.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited 10s for %s", what)
		}
	}
}
