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

func (p *countingProber) Probe(ctx context.Context, _ bool) (Result, *kept) {
	n := p.now.Add(1)
	defer p.now.Add(-1)
	for most := p.most.Load(); n > most && !p.most.CompareAndSwap(most, n); most = p.most.Load() {
	}
	select {
	case <-time.After(p.wait):
	case <-ctx.Done():
	}
	p.done.Add(1)
	return Result{OK: true, Path: "/up", Code: 200}, nil
}

// startMany probes n targets, the first time at once.
func startMany(t *testing.T, crowd *Crowd, n int, p prober) {
	t.Helper()
	for range n {
		m := newMonitor(Options{Interval: time.Hour, Crowd: crowd}.withDefaults(), p, nil)
		m.Start(0)
		t.Cleanup(m.Stop)
	}
}

func TestMonitor_manyTargetsHaveFewProbesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &countingProber{wait: 10 * time.Millisecond}
		crowd := newCrowd(t, nil)
		n := 4 * crowd.places
		startMany(t, crowd, int(n), p)
		pass(5 * time.Second)
		if got := p.done.Load(); got != n {
			t.Errorf("%d probes, want one of each of %d targets", got, n)
		}
		if got := p.most.Load(); got > crowd.places {
			t.Errorf("%d probes at once, want at most %d", got, crowd.places)
		}
	})
}

func TestMonitor_targetsThatHangHoldUpNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crowd := newCrowd(t, nil)
		startMany(t, crowd, int(crowd.places), &countingProber{wait: time.Hour})
		pass(time.Millisecond)
		p := &countingProber{}
		startMany(t, crowd, 1, p)
		pass(youngFor + 2*placeWait)
		if got := p.done.Load(); got != 1 {
			t.Errorf("%d probes of the target beside those that hang, want 1", got)
		}
	})
}

// newCrowd holds that nothing of a crowd is taken once its monitors have stopped.
func newCrowd(t *testing.T, room Room) *Crowd {
	t.Helper()
	c := NewCrowd(room)
	t.Cleanup(func() {
		if probed, young, kept := c.probed.Load(), c.young.Load(), len(c.kept); probed != 0 || young != 0 || kept != 0 {
			t.Errorf("at the end %d are probed, %d places and %d connections are taken, want none", probed, young, kept)
		}
	})
	return c
}
