package kamal

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// streaming is an app whose /stream takes a second and a half, piece by piece.
func streaming(t *testing.T) *target {
	t.Helper()
	return startTarget(t, "", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/stream" {
			_, _ = io.WriteString(w, "short")
			return
		}
		tick := time.NewTicker(150 * time.Millisecond)
		defer tick.Stop()
		for range 10 {
			_, _ = io.WriteString(w, "piece\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	})
}

// visitors ask for one page after the other, each on a connection of its own, until
// they are refused.
type visitors struct {
	served, failed atomic.Int64
	refused        atomic.Int64 // Unix nanoseconds, of the first
	running        sync.WaitGroup
}

func (v *visitors) visit(t *testing.T, address string) {
	v.running.Go(func() {
		for {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			got := ask(ctx, address, "GET", "a.test", "/", nil)
			cancel()
			switch {
			case errors.Is(got.err, syscall.ECONNREFUSED), errors.Is(got.err, syscall.ECONNRESET):
				// A reset is a refusal, too: nobody had accepted what was queued.
				v.refused.CompareAndSwap(0, time.Now().UnixNano())
				return
			case got.err != nil || got.status != 200:
				t.Logf("got %d, %v", got.status, got.err)
				v.failed.Add(1)
			default:
				v.served.Add(1)
			}
		}
	})
}

// What a reboot costs is the time between the end of the old process and the start
// of the new one, and not that which the work in flight takes.
func TestRegression_aStopRefusesNobodyWhileWorkIsInFlight(t *testing.T) {
	p := startProxy(t)
	app := streaming(t)
	p.deploy("web", app.address)
	streams := make(chan answer, 8)
	for range cap(streams) {
		go func() { streams <- p.ask("GET", "a.test", "/stream") }()
	}
	eventually(t, "the streams are in flight", func() bool { return len(app.seen) >= cap(streams) })
	var load visitors
	for range 4 {
		load.visit(t, p.address)
	}
	signalled := time.Now()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	for range cap(streams) {
		if got := <-streams; got.err != nil || got.status != 200 || len(got.body) != 60 {
			t.Errorf("a stream in flight: got %d, %d bytes, %v", got.status, len(got.body), got.err)
		}
	}
	drained := time.Since(signalled)
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatal("the proxy did not end")
	}
	ended := time.Now()
	load.running.Wait()
	if load.failed.Load() > 0 || load.served.Load() == 0 {
		t.Errorf("%d requests failed, %d were served", load.failed.Load(), load.served.Load())
	}
	gap := ended.Sub(time.Unix(0, load.refused.Load()))
	if gap > time.Second {
		t.Errorf("refused for %v before the end, the streams took %v", gap, drained)
	}
	t.Logf("streams done %v after SIGTERM, refused for %v before the end; %d served meanwhile", drained, gap, load.served.Load())
}
