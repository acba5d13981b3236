package balancer

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// spendAll spends until it is refused.
func spendAll(b *RetryBudget, now time.Time) (n int) {
	for b.Spend(now) {
		n++
	}
	return n
}

func TestRetryBudget_earnsAFifthOfTheRequestsAndTenASecond(t *testing.T) {
	b := NewRetryBudget()
	now := time.Unix(0, b.filled.Load())
	if got := spendAll(b, now); got != 1000 {
		t.Fatalf("got %d of a full budget, want 1000", got)
	}
	for _, c := range []struct {
		name     string
		requests int
		after    time.Duration
		want     int
	}{
		{"nothing", 0, 0, 0},
		{"too few", 4, 0, 0},
		{"a fifth with those before", 6, 0, 2},
		{"more", 1000, 0, 200},
		{"time", 0, 2 * time.Second, 20},
		{"a little time", 0, 99 * time.Millisecond, 0},
		{"and a little more", 0, time.Millisecond, 1},
		{"both", 50, time.Second, 20},
		{"no more than it holds", 0, time.Hour, 1000},
		{"no more than it holds", 1_000_000, 0, 1000},
		{"a clock that jumped back", 0, -time.Hour, 0},
	} {
		for range c.requests {
			b.Earn()
		}
		now = now.Add(c.after)
		if got := spendAll(b, now); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestRetryBudget_withoutOneAllowsEverything(t *testing.T) {
	var b *RetryBudget
	b.Earn()
	if !b.Spend(time.Now()) {
		t.Error("got refused")
	}
}

func TestRetryBudget_neverAllowsMoreTogether(t *testing.T) {
	b := NewRetryBudget()
	now := time.Unix(0, b.filled.Load())
	var allowed atomic.Int64
	var users sync.WaitGroup
	const each, of = 2000, 8
	for range of {
		users.Go(func() {
			for range each {
				b.Earn()
				if b.Spend(now) {
					allowed.Add(1)
				}
			}
		})
	}
	users.Wait()
	if got := allowed.Load(); got > 1000+each*of/5+of {
		t.Errorf("got %d retries of %d requests", got, each*of)
	}
}

func BenchmarkRetryBudget_Earn_full(b *testing.B) {
	budget := NewRetryBudget()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			budget.Earn()
		}
	})
}
