package health

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fakeProber answers from a function and records when it was asked. It fails the
// test when two probes overlap.
type fakeProber struct {
	t     *testing.T
	probe func(ctx context.Context, n int) bool // n counts from 0

	running atomic.Int32
	mu      sync.Mutex
	starts  []time.Time // guarded by mu
}

func (p *fakeProber) Probe(ctx context.Context, _ bool) (Result, *kept) {
	if p.running.Add(1) > 1 {
		p.t.Error("two probes of one target at the same time")
	}
	defer p.running.Add(-1)
	p.mu.Lock()
	n := len(p.starts)
	p.starts = append(p.starts, time.Now())
	p.mu.Unlock()
	r := Result{OK: p.probe(ctx, n), Path: "/up", Code: 200, At: time.Now()}
	if !r.OK {
		r.Code, r.Err = 503, &statusError{503, 200, 299}
	}
	return r, nil
}

func (p *fakeProber) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.starts)
}

// gaps returns the times between starts, the first one since from.
func (p *fakeProber) gaps(from time.Time) []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	gaps := make([]time.Duration, len(p.starts))
	for i, start := range p.starts {
		gaps[i] = start.Sub(from)
		from = start
	}
	return gaps
}

// rig is a monitor that runs with a fake prober inside a synctest bubble.
type rig struct {
	*Monitor
	prober  *fakeProber
	began   time.Time
	changes []string // read after synctest.Wait
	stop    func()
}

func startRig(t *testing.T, o Options, probe func(ctx context.Context, n int) bool) *rig {
	t.Helper()
	r := newRig(t, o, probe)
	r.run(t)
	return r
}

func newRig(t *testing.T, o Options, probe func(ctx context.Context, n int) bool) *rig {
	t.Helper()
	r := &rig{prober: &fakeProber{t: t, probe: probe}, began: time.Now()}
	r.Monitor = newMonitor(o.withDefaults(), r.prober, func(c Change) {
		if r.Status() != c.To {
			t.Errorf("in onChange: status %v, want %v", r.Status(), c.To)
		}
		at := time.Since(r.began).Round(time.Millisecond)
		r.changes = append(r.changes, fmt.Sprintf("%v %v>%v %s", at, c.From, c.To, c.Reason))
	})
	return r
}

func (r *rig) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	r.stop = func() {
		cancel()
		<-done
		if n := r.prober.running.Load(); n != 0 {
			t.Errorf("Run returned while %d probes were running", n)
		}
	}
	t.Cleanup(r.stop)
}

func (r *rig) wantChanges(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := strings.Join(r.changes, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("changes:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

// pass lets d of the bubble's time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func good(context.Context, int) bool { return true }
func bad(context.Context, int) bool  { return false }

func TestMonitor_Run_firstProbeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newRig(t, Options{}, good)
		if _, ok := m.Last(); ok || m.Status() != Starting {
			t.Errorf("before Run: last = %v, status = %v", ok, m.Status())
		}
		m.run(t)
		m.wantChanges(t, "0s starting>healthy GET /up: 200")
		last, ok := m.Last()
		if !ok || !last.OK || m.Status() != Healthy || !m.Since().Equal(m.began) {
			t.Errorf("last = %v, %v, status = %v, since = %v", last, ok, m.Status(), m.Since())
		}
	})
}

func TestMonitor_Run_healthyTargetAtTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startRig(t, Options{Interval: 10 * time.Second}, good)
		pass(10 * time.Minute)
		gaps := m.prober.gaps(m.began)
		seen := map[time.Duration]bool{}
		for _, gap := range gaps[1:] {
			seen[gap] = true
			if gap < 9*time.Second || gap > 11*time.Second {
				t.Errorf("gap of %v, want 10s give or take a tenth", gap)
			}
		}
		if len(seen) < 10 {
			t.Errorf("%d different gaps among %d, want jitter", len(seen), len(gaps))
		}
		m.wantChanges(t, "0s starting>healthy GET /up: 200")
	})
}

func TestMonitor_Run_startingTargetIsProbedFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boot := 5 * time.Second
		var began time.Time
		m := newRig(t, Options{}, func(context.Context, int) bool { return time.Since(began) >= boot })
		began = m.began
		m.run(t)
		pass(boot + time.Minute)
		if late := m.Since().Sub(began) - boot; late < 0 || late > 100*time.Millisecond {
			t.Errorf("healthy %v after the target was, want at most 100ms", late)
		}
		if len(m.changes) != 1 {
			t.Errorf("changes %q, want one", m.changes)
		}
	})
}

func TestMonitor_Run_startingTargetStaysStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startRig(t, Options{}, bad)
		pass(30 * time.Second)
		if n := m.prober.count(); n > 250 {
			t.Errorf("%d probes in 30s, want fewer as time goes by", n)
		}
		pass(10 * time.Minute)
		gaps := m.prober.gaps(m.began)
		if last := gaps[len(gaps)-1]; last < 900*time.Millisecond || last > time.Second {
			t.Errorf("last gap %v, want the interval", last)
		}
		m.wantChanges(t)
	})
}

func TestMonitor_Run_thresholds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Interval: 10 * time.Second, HealthyThreshold: 2, Initial: Healthy}
		var down atomic.Bool
		m := startRig(t, o, func(context.Context, int) bool { return !down.Load() })
		pass(30 * time.Second)
		m.wantChanges(t)

		down.Store(true)
		failed := time.Now()
		pass(12 * time.Second)
		if m.Status() != Unhealthy || m.Since().Sub(failed) > 12*time.Second {
			t.Errorf("status %v since %v after it failed", m.Status(), m.Since().Sub(failed))
		}
		last, _ := m.Last()
		if got, want := last.String(), "GET /up: 503 (expected 200-299)"; got != want {
			t.Errorf("last probe %q, want %q", got, want)
		}

		pass(time.Hour)
		down.Store(false)
		returned := time.Now()
		pass(11 * time.Second)
		if m.Status() != Healthy || m.Since().Sub(returned) > 10500*time.Millisecond {
			t.Errorf("status %v since %v after its return", m.Status(), m.Since().Sub(returned))
		}
		if len(m.changes) != 2 {
			t.Errorf("changes %q, want two", m.changes)
		}
	})
}

func TestMonitor_Run_backWithinOneInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		m := startRig(t, Options{MaxAttempts: 1}, func(context.Context, int) bool { return !down.Load() })
		for i := range 50 {
			down.Store(true)
			pass(time.Duration(i)*777*time.Millisecond + 2*time.Second)
			down.Store(false)
			returned := time.Now()
			pass(time.Second)
			if m.Status() != Healthy {
				t.Fatalf("round %d: %v one interval after its return at %v", i, m.Status(), returned)
			}
		}
	})
}

func TestMonitor_Run_hungProbeDelaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startRig(t, Options{Interval: time.Second}, func(context.Context, int) bool {
			<-time.After(5 * time.Second)
			return false
		})
		pass(21 * time.Second)
		if got, want := m.prober.count(), 5; got != want {
			t.Errorf("%d probes of 5s in 21s, want %d, one after the other", got, want)
		}
	})
}

func TestMonitor_Run_restoredTargetWithinHalfASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startRig(t, Options{Initial: Healthy, Interval: time.Minute}, good)
		pass(restoredWait)
		if got := m.prober.count(); got != 1 {
			t.Errorf("%d probes, want 1", got)
		}
		m.wantChanges(t)
	})
}

func TestMonitor_Run_endsAProbeUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startRig(t, Options{}, func(ctx context.Context, _ int) bool {
			<-ctx.Done()
			return true
		})
		pass(time.Second)
		before := time.Now()
		m.stop()
		if took := time.Since(before); took != 0 {
			t.Errorf("Run took %v to end", took)
		}
		if _, ok := m.Last(); ok || m.Status() != Starting || len(m.changes) != 0 {
			t.Errorf("the result of an ended probe counted: %v, %q", m.Status(), m.changes)
		}
	})
}

func TestMonitor_Suspect_turnsUnhealthyAndProbesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startRig(t, Options{Interval: time.Minute, HealthyThreshold: 3, Initial: Healthy}, good)
		pass(10 * time.Second)
		m.Suspect("connection reset")
		m.wantChanges(t, "10s healthy>unhealthy connection reset", "10s unhealthy>healthy GET /up: 200")
	})
}

func TestMonitor_Suspect_stormAsksForFewProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startRig(t, Options{Interval: time.Minute, Initial: Healthy}, good)
		pass(time.Second)
		before := m.prober.count()
		for range 1000 {
			for range 10 {
				m.Suspect("connection refused")
			}
			pass(time.Millisecond)
		}
		if n := m.prober.count() - before; n < 8 || n > 11 {
			t.Errorf("%d probes in 1s, want about one per %v", n, suspectWait)
		}
	})
}

func TestMonitor_Suspect_probeUnderWayProvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		canceled := false
		m := startRig(t, Options{Interval: time.Second, Initial: Healthy}, func(ctx context.Context, n int) bool {
			switch n {
			case 0:
				<-ctx.Done()
				canceled = true
				return true // well before the evidence
			default:
				return false
			}
		})
		pass(2 * time.Second)
		m.Suspect("connection reset")
		m.wantChanges(t, "2s healthy>unhealthy connection reset")
		if !canceled || m.prober.count() != 2 {
			t.Errorf("canceled = %v, %d probes; want a second probe at once", canceled, m.prober.count())
		}
	})
}

func TestMonitor_Suspect_nothingUnlessHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startRig(t, Options{}, bad)
		m.Suspect("connection reset")
		pass(time.Second)
		before := m.prober.count()
		m.Suspect("connection reset")
		synctest.Wait()
		if got := m.prober.count(); got != before {
			t.Errorf("%d probes after a suspicion of a starting target, want %d", got, before)
		}
		m.wantChanges(t)
	})
}

func TestMonitor_Suspect_beforeAndAfterRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newRig(t, Options{Initial: Healthy}, good)
		for range 3 {
			m.Suspect("connection refused")
		}
		m.run(t)
		m.wantChanges(t, "0s healthy>unhealthy connection refused", "0s unhealthy>healthy GET /up: 200")
		m.stop()
		for range 3 {
			m.Suspect("connection refused")
		}
		if m.Status() != Healthy || len(m.changes) != 2 {
			t.Errorf("after Run: %v, %q", m.Status(), m.changes)
		}
	})
}

// TestMonitor_concurrent is for the race detector, with real time and a real
// prober.
func TestMonitor_concurrent(t *testing.T) {
	address := listen(t, "127.0.0.1:0", write(answer(200, "ok")))
	status := Starting // written by onChange only, which is serialised
	healthy := make(chan struct{}, 1)
	m := NewMonitor(Options{Address: address, Interval: minInterval}, func(c Change) {
		if c.From != status || c.From == c.To {
			t.Errorf("change from %v to %v, status was %v", c.From, c.To, status)
		}
		if status = c.To; status == Healthy {
			select {
			case healthy <- struct{}{}:
			default:
			}
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	for range 4 {
		running.Go(func() {
			for ctx.Err() == nil {
				m.Suspect("test")
				_, _ = m.Last()
				_ = m.Since()
				_ = m.Status().String()
				<-time.After(time.Millisecond)
			}
		})
	}
	for range 5 {
		<-healthy
	}
	cancel()
	running.Wait()
}

func BenchmarkMonitor_Suspect(b *testing.B) {
	m := NewMonitor(Options{Address: "127.0.0.1:1", Initial: Healthy}, nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Suspect("connection reset")
		}
	})
}

// resultProber answers every probe with the same result.
type resultProber Result

func (p resultProber) Probe(context.Context, bool) (Result, *kept) { return Result(p), nil }

func TestMonitor_shortageOfDescriptorsSaysNothing(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}
	lookup := &net.OpError{Op: "dial", Err: &net.DNSError{Err: "dial udp 127.0.0.11:53: " + dial.Error(), Name: "web"}}
	for _, err := range []error{dial, lookup} {
		synctest.Test(t, func(t *testing.T) {
			failed := resultProber{Path: "/up", Err: dialCause(t.Context(), err)}
			m := newMonitor(Options{Initial: Healthy}.withDefaults(), failed, func(c Change) {
				t.Errorf("got %+v, want no change", c)
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			m.Run(ctx)
			if last, ok := m.Last(); !ok || !strings.Contains(last.String(), "too many open files") {
				t.Errorf("last probe: got %q, want it to say why", last)
			}
		})
	}
}
