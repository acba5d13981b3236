package balancer

import (
	"errors"
	"testing"

	"upfront/health"
)

func TestPool_Acquire_countsAndReleases(t *testing.T) {
	for _, policy := range policies {
		t.Run(policy, func(t *testing.T) {
			pool := NewPool(healthyTargets(1, 1), PoolOptions{Policy: policy})
			target := mustAcquire(t, pool)
			if got := target.InFlight(); got != 1 {
				t.Errorf("InFlight after Acquire: got %d, want 1", got)
			}
			target.Release()
			if got := target.InFlight(); got != 0 {
				t.Errorf("InFlight after Release: got %d, want 0", got)
			}
		})
	}
}

func TestPool_Acquire_skipsUnavailableAndTried(t *testing.T) {
	for _, policy := range policies {
		t.Run(policy, func(t *testing.T) {
			targets := healthyTargets(1, 2, 3, 4, 5)
			a, b, c, d, e := targets[0], targets[1], targets[2], targets[3], targets[4]
			a.SetHealth(health.Unhealthy)
			b.SetHealth(health.Starting)
			c.Drain(t.Context())
			pool := NewPool(targets, PoolOptions{Policy: policy})

			got := tally(t, pool, 100)
			if got["d"] == 0 || got["e"] == 0 || got["d"]+got["e"] != 100 {
				t.Errorf("got %v, want d and e only", got)
			}
			if got := tally(t, pool, 20, d); got["e"] != 20 {
				t.Errorf("with d tried: got %v, want e only", got)
			}
			if target, err := pool.Acquire([]*Target{d, e}); !errors.Is(err, ErrNoTarget) {
				t.Errorf("with d and e tried: got %v, %v, want ErrNoTarget", target, err)
			}
			for _, target := range targets {
				if got := target.InFlight(); got != 0 {
					t.Errorf("InFlight of %s: got %d, want 0", target.Address(), got)
				}
			}
		})
	}
}

func TestPool_Acquire_skipsFull(t *testing.T) {
	for _, policy := range policies {
		t.Run(policy, func(t *testing.T) {
			small := NewTarget(TargetOptions{Address: "small", Health: health.Healthy, MaxInFlight: 1})
			large := NewTarget(TargetOptions{Address: "large", Health: health.Healthy, MaxInFlight: 5})
			pool := NewPool([]*Target{small, large}, PoolOptions{Policy: policy})
			for range 6 {
				mustAcquire(t, pool)
			}
			if got := small.InFlight(); got != 1 {
				t.Errorf("small: got %d in flight, want 1", got)
			}
			if _, err := pool.Acquire(nil); !errors.Is(err, ErrNoTarget) {
				t.Errorf("all full: got %v, want ErrNoTarget", err)
			}
		})
	}
}

func TestPool_Acquire_findsTheOneThatIsLeft(t *testing.T) {
	const n = 500 // more than the turns and draws that are tried first
	for _, policy := range policies {
		t.Run(policy, func(t *testing.T) {
			targets := healthyTargets(equalWeights(n)...)
			for i, target := range targets {
				if i != 137 {
					target.SetHealth(health.Unhealthy)
				}
			}
			pool := NewPool(targets, PoolOptions{Policy: policy})
			if got := tally(t, pool, 100); got[targetName(137)] != 100 {
				t.Errorf("got %v, want 100 of %s", got, targetName(137))
			}
		})
	}
}

func TestPool_Acquire_emptyPool(t *testing.T) {
	for _, policy := range policies {
		for _, failOpen := range []bool{false, true} {
			pool := NewPool(nil, PoolOptions{Policy: policy, FailOpen: failOpen})
			if _, err := pool.Acquire(nil); !errors.Is(err, ErrNoTarget) {
				t.Errorf("%s, fail open %v: got %v, want ErrNoTarget", policy, failOpen, err)
			}
			if pool.Draining() {
				t.Errorf("Draining of an empty pool: got true, want false")
			}
		}
	}
}

func TestPool_Acquire_failOpenIgnoresHealthOnly(t *testing.T) {
	for _, policy := range policies {
		t.Run(policy, func(t *testing.T) {
			sick := NewTarget(TargetOptions{Address: "sick", Health: health.Unhealthy})
			draining := NewTarget(TargetOptions{Address: "draining", Health: health.Unhealthy})
			draining.Drain(t.Context())
			full := NewTarget(TargetOptions{Address: "full", Health: health.Unhealthy, MaxInFlight: 1})
			full.acquire(anyHealth)
			targets := []*Target{sick, draining, full}

			closed := NewPool(targets, PoolOptions{Policy: policy})
			if _, err := closed.Acquire(nil); !errors.Is(err, ErrNoTarget) {
				t.Errorf("without fail open: got %v, want ErrNoTarget", err)
			}
			open := NewPool(targets, PoolOptions{Policy: policy, FailOpen: true})
			if got := tally(t, open, 50); got["sick"] != 50 {
				t.Errorf("fail open: got %v, want sick only", got)
			}
			if _, err := open.Acquire([]*Target{sick}); !errors.Is(err, ErrNoTarget) {
				t.Errorf("fail open, sick tried: got %v, want ErrNoTarget", err)
			}
			full.SetHealth(health.Healthy)
			full.Release()
			if got := mustAcquire(t, open); got != full {
				t.Errorf("fail open with a healthy target: got %s, want it", got.Address())
			}
		})
	}
}

func TestPool_Draining_whenAllTargetsAre(t *testing.T) {
	targets := healthyTargets(1, 1)
	pool := NewPool(targets, PoolOptions{})
	targets[0].Drain(t.Context())
	if pool.Draining() {
		t.Error("one of two draining: got true, want false")
	}
	targets[1].Drain(t.Context())
	if !pool.Draining() {
		t.Error("both draining: got false, want true")
	}
	targets[0].Undrain()
	if pool.Draining() {
		t.Error("one undrained: got true, want false")
	}
}

func TestPool_Targets_isACopy(t *testing.T) {
	targets := healthyTargets(1, 1)
	pool := NewPool(targets, PoolOptions{})
	targets[0] = nil
	if pool.Targets()[0] == nil {
		t.Error("the pool changed with the caller's slice")
	}
}

// The promise of the hot path: no allocation, also not for the caller's tried.
func TestPool_Acquire_allocatesNothing(t *testing.T) {
	for _, policy := range policies {
		for _, failOpen := range []bool{false, true} {
			targets := healthyTargets(1, 2, 3)
			pool := NewPool(targets, PoolOptions{Policy: policy, FailOpen: failOpen})
			got := testing.AllocsPerRun(1000, func() {
				var tried [2]*Target
				first, _ := pool.Acquire(tried[:0])
				tried[0] = first
				second, _ := pool.Acquire(tried[:1])
				first.Failed("reset")
				first.Release()
				second.Succeeded()
				second.Release()
				tried[1] = second
				for _, target := range targets {
					target.SetHealth(health.Unhealthy)
				}
				if last, err := pool.Acquire(tried[:]); err == nil {
					last.Release()
				}
				for _, target := range targets {
					target.SetHealth(health.Healthy)
				}
			})
			if got != 0 {
				t.Errorf("%s, fail open %v: got %v allocations, want 0", policy, failOpen, got)
			}
		}
	}
}

func TestPool_Takes(t *testing.T) {
	healthy := NewTarget(TargetOptions{Address: "a", Health: health.Healthy, MaxInFlight: 1})
	unhealthy := NewTarget(TargetOptions{Address: "b", Health: health.Unhealthy, MaxInFlight: 1})
	for _, c := range []struct {
		name     string
		targets  []*Target
		failOpen bool
		tried    []*Target
		want     bool
	}{
		{"a target", []*Target{unhealthy, healthy}, false, nil, true},
		{"none", nil, false, nil, false},
		{"none that is healthy", []*Target{unhealthy}, false, nil, false},
		{"none that is healthy, but fail open", []*Target{unhealthy}, true, nil, true},
		{"none that was not tried", []*Target{healthy, unhealthy}, false, []*Target{healthy}, false},
	} {
		pool := NewPool(c.targets, PoolOptions{FailOpen: c.failOpen})
		for range 2 { // idle, then full
			if got := pool.Takes(c.tried); got != c.want {
				t.Errorf("%s: got %v", c.name, got)
			}
			_, _ = pool.Acquire(c.tried)
		}
		for _, target := range c.targets {
			if target.InFlight() > 0 {
				target.Release()
			}
		}
	}
}
