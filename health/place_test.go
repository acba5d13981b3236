package health

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// countingProber counts its probes, of all targets, and lets each wait.
type countingProber struct {
	wait            time.Duration
	now, most, done atomic.Int64
}

func (p *countingProber) Probe(ctx context.Context) Result {
	n := p.now.Add(1)
	defer p.now.Add(-1)
	for most := p.most.Load(); n > most && !p.most.CompareAndSwap(most, n); most = p.most.Load() {
	}
	select {
	case <-time.After(p.wait):
	case <-ctx.Done():
	}
	p.done.Add(1)
	return Result{OK: true, Path: "/up", Code: 200}
}

// startMany probes n targets, the first time at once.
func startMany(t *testing.T, n int, p prober) {
	t.Helper()
	for range n {
		m := newMonitor(Options{Interval: time.Hour}.withDefaults(), p, nil)
		m.Start(0)
		t.Cleanup(m.Stop)
	}
}

func TestMonitor_manyTargetsHaveFewProbesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &countingProber{wait: 10 * time.Millisecond}
		const n = 4 * mostYoung
		startMany(t, n, p)
		pass(5 * time.Second)
		if got := p.done.Load(); got != n {
			t.Errorf("%d probes, want one of each of %d targets", got, n)
		}
		if got := p.most.Load(); got > mostYoung {
			t.Errorf("%d probes at once, want at most %d", got, mostYoung)
		}
	})
	if got := young.Load(); got != 0 {
		t.Errorf("%d places taken at the end, want 0", got)
	}
}

func TestMonitor_targetsThatHangHoldUpNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		startMany(t, mostYoung, &countingProber{wait: time.Hour})
		pass(time.Millisecond)
		p := &countingProber{}
		startMany(t, 1, p)
		pass(youngFor + 2*placeWait)
		if got := p.done.Load(); got != 1 {
			t.Errorf("%d probes of the target beside those that hang, want 1", got)
		}
	})
	if got := young.Load(); got != 0 {
		t.Errorf("%d places taken at the end, want 0", got)
	}
}
