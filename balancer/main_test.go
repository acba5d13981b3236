package balancer

import (
	"fmt"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"upfront/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeTransport counts the calls; cut is what Cut does.
type fakeTransport struct {
	cut    func() int
	cuts   atomic.Int32
	closes atomic.Int32
}

func (f *fakeTransport) Cut() int {
	f.cuts.Add(1)
	if f.cut == nil {
		return 0
	}
	return f.cut()
}

func (f *fakeTransport) Close() { f.closes.Add(1) }

// healthyTargets returns one healthy target for each weight, named a, b, c and so on.
func healthyTargets(weights ...int) []*Target {
	targets := make([]*Target, len(weights))
	for i, weight := range weights {
		targets[i] = NewTarget(TargetOptions{
			Address: targetName(i),
			Weight:  weight,
			Health:  health.Healthy,
		})
	}
	return targets
}

func targetName(i int) string {
	if i < 26 {
		return string(rune('a' + i))
	}
	return fmt.Sprintf("t%d", i)
}

func equalWeights(n int) []int {
	weights := make([]int, n)
	for i := range weights {
		weights[i] = 1
	}
	return weights
}

// mustAcquire acquires a target that must be there.
func mustAcquire(t *testing.T, p *Pool, tried ...*Target) *Target {
	t.Helper()
	target, err := p.Acquire(tried)
	if err != nil {
		t.Fatalf("Acquire: got %v, want a target", err)
	}
	return target
}

// tally acquires and releases n times and counts by address.
func tally(t *testing.T, p *Pool, n int, tried ...*Target) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	for range n {
		target := mustAcquire(t, p, tried...)
		counts[target.Address()]++
		target.Release()
	}
	return counts
}

var policies = []string{RoundRobin, LeastConnections, TwoChoices}
