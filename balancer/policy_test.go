package balancer

import (
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"upfront/health"
)

// sequence is the addresses of n requests, each released before the next.
func sequence(t *testing.T, p *Pool, n int) string {
	t.Helper()
	var b strings.Builder
	for range n {
		target := mustAcquire(t, p)
		b.WriteString(target.Address())
		target.Release()
	}
	return b.String()
}

func TestRoundRobin_isSmooth(t *testing.T) {
	for _, test := range []struct {
		name    string
		weights []int
		want    string
	}{
		{"one", []int{1}, "aaaa"},
		{"equal", []int{1, 1, 1}, "abcabc"},
		{"equal and large", []int{100, 100}, "abab"},
		{"known from nginx", []int{5, 1, 1}, "aabacaaaabacaa"},
		{"reduced", []int{20, 10}, "abaaba"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pool := NewPool(healthyTargets(test.weights...), PoolOptions{})
			if got := sequence(t, pool, len(test.want)); got != test.want {
				t.Errorf("weights %v: got %s, want %s", test.weights, got, test.want)
			}
		})
	}
}

func TestRoundRobin_keepsWeightsExactlyOverACycle(t *testing.T) {
	weights := []int{7, 3, 2, 50, 1}
	pool := NewPool(healthyTargets(weights...), PoolOptions{})
	got := tally(t, pool, 3*63)
	for i, weight := range weights {
		if got[targetName(i)] != 3*weight {
			t.Errorf("%s: got %d of 3 cycles, want %d", targetName(i), got[targetName(i)], 3*weight)
		}
	}
}

func TestSchedule_isBounded(t *testing.T) {
	for _, weights := range [][]int{
		{65536, 65535, 1},
		{1 << 40, 1, 1, 1},
		equalWeights(10_000),
		{4095, 1},
	} {
		pool := NewPool(healthyTargets(weights...), PoolOptions{})
		if got, most := len(pool.schedule), maxSchedule+len(weights); got > most {
			t.Errorf("%d targets: got %d slots, want at most %d", len(weights), got, most)
		}
		slots := make(map[*Target]int)
		for _, target := range pool.schedule {
			slots[target]++
		}
		if len(slots) != len(weights) {
			t.Errorf("got %d targets in the schedule, want all %d", len(slots), len(weights))
		}
	}
}

// The neighbour of a dead target must not inherit its share.
func TestPolicies_spreadTheShareOfADeadTarget(t *testing.T) {
	for _, test := range []struct {
		policy    string
		tolerance float64
	}{
		{RoundRobin, 0},
		{LeastConnections, 0.01},
		{TwoChoices, 0.1},
	} {
		t.Run(test.policy, func(t *testing.T) {
			targets := healthyTargets(equalWeights(6)...)
			targets[1].SetHealth(health.Unhealthy)
			targets[2].SetHealth(health.Unhealthy)
			const n = 8000
			got := tally(t, NewPool(targets, PoolOptions{Policy: test.policy}), n)
			for _, name := range []string{"a", "d", "e", "f"} {
				if off := math.Abs(float64(got[name])/(n/4) - 1); off > test.tolerance {
					t.Errorf("%s: got %d of %d, want %d within %v (%v)", name, got[name], n, n/4, test.tolerance, got)
				}
			}
		})
	}
}

// With more dead neighbours than turns, the lottery keeps the shares even.
func TestRoundRobin_spreadsAcrossALongDeadRun(t *testing.T) {
	targets := healthyTargets(equalWeights(1000)...)
	for _, target := range targets[10:] {
		target.SetHealth(health.Unhealthy)
	}
	const n = 20_000
	got := tally(t, NewPool(targets, PoolOptions{}), n)
	for _, target := range targets[:10] {
		if count := got[target.Address()]; count < n/10*8/10 || count > n/10*12/10 {
			t.Errorf("%s: got %d, want about %d (%v)", target.Address(), count, n/10, got)
		}
	}
}

func TestPolicies_respectWeightsWhenIdle(t *testing.T) {
	for _, policy := range policies {
		t.Run(policy, func(t *testing.T) {
			const n = 7000
			got := tally(t, NewPool(healthyTargets(4, 2, 1), PoolOptions{Policy: policy}), n)
			if policy == TwoChoices {
				// Two different slots of seven: at equal load the first wins.
				for name, want := range map[string]int{"a": 4000, "b": 2000, "c": 1000} {
					if math.Abs(float64(got[name]-want)) > 300 {
						t.Errorf("%s: got %d, want about %d", name, got[name], want)
					}
				}
				return
			}
			for name, want := range map[string]int{"a": 4000, "b": 2000, "c": 1000} {
				if math.Abs(float64(got[name]-want)) > 10 {
					t.Errorf("%s: got %d, want %d", name, got[name], want)
				}
			}
		})
	}
}

func TestLeastConnections_takesTheLeastLoaded(t *testing.T) {
	targets := healthyTargets(1, 1, 1)
	pool := NewPool(targets, PoolOptions{Policy: LeastConnections})
	for range 9 {
		mustAcquire(t, pool)
	}
	for _, target := range targets {
		if got := target.InFlight(); got != 3 {
			t.Errorf("%s: got %d in flight, want 3", target.Address(), got)
		}
	}
	targets[2].Release()
	if got := mustAcquire(t, pool); got != targets[2] {
		t.Errorf("got %s, want c, the least loaded", got.Address())
	}
}

func TestLeastConnections_dividesLoadByWeight(t *testing.T) {
	targets := healthyTargets(3, 1)
	pool := NewPool(targets, PoolOptions{Policy: LeastConnections})
	for range 40 {
		mustAcquire(t, pool)
	}
	if a, b := targets[0].InFlight(), targets[1].InFlight(); a != 30 || b != 10 {
		t.Errorf("got %d and %d in flight, want 30 and 10", a, b)
	}
}

// Equals take turns, and a busy target's turn goes to all the others.
func TestLeastConnections_equalsTakeTurns(t *testing.T) {
	targets := healthyTargets(equalWeights(5)...)
	targets[0].acquire(healthyOnly)
	got := tally(t, NewPool(targets, PoolOptions{Policy: LeastConnections}), 400)
	for _, name := range []string{"b", "c", "d", "e"} {
		if got[name] < 98 || got[name] > 102 {
			t.Errorf("%s: got %d, want 100 (%v)", name, got[name], got)
		}
	}
}

func TestTwoChoices_avoidsTheBusyTarget(t *testing.T) {
	targets := healthyTargets(1, 1, 1)
	for range 50 {
		targets[0].acquire(healthyOnly)
	}
	pool := NewPool(targets, PoolOptions{Policy: TwoChoices})
	// Of three, any two have one that is not the busy one.
	if got := tally(t, pool, 1000); got["a"] != 0 {
		t.Errorf("got %v, want none for the busy a", got)
	}
}

func TestTwoChoices_keepsLargePoolsEven(t *testing.T) {
	targets := healthyTargets(equalWeights(100)...)
	pool := NewPool(targets, PoolOptions{Policy: TwoChoices})
	for range 1000 {
		mustAcquire(t, pool)
	}
	for _, target := range targets {
		if got := target.InFlight(); got > 16 {
			t.Errorf("%s: got %d in flight, want about 10", target.Address(), got)
		}
	}
}

func TestPolicies_concurrentRequestsKeepTheirCounts(t *testing.T) {
	for _, policy := range policies {
		t.Run(policy, func(t *testing.T) {
			targets := healthyTargets(equalWeights(3)...)
			pool := NewPool(targets, PoolOptions{Policy: policy})
			var workers sync.WaitGroup
			for range 8 {
				workers.Go(func() {
					for range 500 {
						target, err := pool.Acquire(nil)
						if err != nil {
							t.Errorf("Acquire: %v", err)
							return
						}
						target.Release()
					}
				})
			}
			workers.Wait()
			for _, target := range targets {
				if got := target.InFlight(); got != 0 {
					t.Errorf("%s: got %d in flight, want 0", target.Address(), got)
				}
			}
		})
	}
}

func warmingPool(policy string, initial health.Status) (*Pool, *Target) {
	warm := NewTarget(TargetOptions{Address: "warm", Health: health.Healthy})
	fresh := NewTarget(TargetOptions{Address: "fresh", Health: initial, SlowStart: 10 * time.Second})
	return NewPool([]*Target{warm, fresh}, PoolOptions{Policy: policy}), fresh
}

func TestSlowStart_growsTheShare(t *testing.T) {
	for _, policy := range policies {
		t.Run(policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pool, fresh := warmingPool(policy, health.Starting)
				fresh.SetHealth(health.Healthy)
				shareAt := func() float64 {
					const n = 4000
					return float64(tally(t, pool, n)["fresh"]) / n
				}
				begin := shareAt()
				<-time.After(5 * time.Second)
				middle := shareAt()
				<-time.After(5 * time.Second)
				end := shareAt()
				if begin < 0.02 || begin > 0.15 {
					t.Errorf("share at the beginning: got %.3f, want about a tenth of the other's", begin)
				}
				if middle < begin*1.5 || middle > 0.45 {
					t.Errorf("share half way: got %.3f after %.3f, want more, and less than even", middle, begin)
				}
				if end < 0.45 || end > 0.55 {
					t.Errorf("share at the end: got %.3f, want even", end)
				}
			})
		})
	}
}

func TestSlowStart_beginsWithEachRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, fresh := warmingPool(RoundRobin, health.Healthy)
		if got := fresh.share(); got != fullShare {
			t.Errorf("created healthy: got share %d, want the full %d", got, fullShare)
		}
		fresh.SetHealth(health.Healthy)
		if got := fresh.share(); got != fullShare {
			t.Errorf("healthy again without a change: got share %d, want the full %d", got, fullShare)
		}
		fresh.SetHealth(health.Unhealthy)
		fresh.SetHealth(health.Healthy)
		if got := fresh.share(); got != firstShare {
			t.Errorf("recovered: got share %d, want %d", got, firstShare)
		}
		<-time.After(10 * time.Second)
		if got := fresh.share(); got != fullShare {
			t.Errorf("after slow start: got share %d, want the full %d", got, fullShare)
		}
	})
}

func TestSlowStart_neverRefusesTheOnlyTarget(t *testing.T) {
	for _, policy := range policies {
		only := NewTarget(TargetOptions{Address: "only", SlowStart: time.Hour})
		only.SetHealth(health.Healthy)
		pool := NewPool([]*Target{only}, PoolOptions{Policy: policy})
		if got := tally(t, pool, 200); got["only"] != 200 {
			t.Errorf("%s: got %v, want 200", policy, got)
		}
	}
}
