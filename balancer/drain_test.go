package balancer

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"upfront/health"
)

func inFlightTarget(t *testing.T, transport Transport, n int) *Target {
	t.Helper()
	target := NewTarget(TargetOptions{Address: "app:3000", Health: health.Healthy, Transport: transport})
	for range n {
		if !target.acquire(healthyOnly) {
			t.Fatal("acquire: refused")
		}
	}
	return target
}

// drain runs Drain on its own goroutine and returns where its result arrives.
func drain(ctx context.Context, target *Target) <-chan int {
	done := make(chan int, 1)
	go func() { done <- target.Drain(ctx) }()
	return done
}

func isWaiting(done <-chan int) bool {
	synctest.Wait()
	return len(done) == 0
}

func TestTarget_Drain_returnsAtOnceWhenEmpty(t *testing.T) {
	transport := &fakeTransport{}
	target := inFlightTarget(t, transport, 0)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := target.Drain(ended); got != 0 {
		t.Errorf("Drain: got %d cut, want 0", got)
	}
	if !target.Draining() || target.acquire(healthyOnly) {
		t.Error("after Drain the target must refuse requests")
	}
	if transport.cuts.Load() != 0 || transport.closes.Load() != 0 {
		t.Error("Drain of an empty target must not touch the transport")
	}
}

func TestTarget_Drain_waitsForTheLastRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &fakeTransport{}
		target := inFlightTarget(t, transport, 2)
		first, second := drain(t.Context(), target), drain(t.Context(), target)
		if !isWaiting(first) || !isWaiting(second) {
			t.Fatal("Drain returned with 2 in flight")
		}
		target.Release()
		if !isWaiting(first) || !isWaiting(second) {
			t.Fatal("Drain returned with 1 in flight")
		}
		target.Release()
		if got := <-first + <-second; got != 0 {
			t.Errorf("Drain: got %d cut, want 0", got)
		}
		if got := transport.cuts.Load(); got != 0 {
			t.Errorf("Cut: got %d calls, want 0", got)
		}
	})
}

func TestTarget_Drain_cutsWhatIsLeftAtTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &fakeTransport{}
		target := inFlightTarget(t, transport, 3)
		transport.cut = func() int {
			// The owners notice a little later, on their own goroutines.
			time.AfterFunc(time.Second, func() { target.Release(); target.Release() })
			return 2
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		done := drain(ctx, target)
		synctest.Wait()
		target.Release()

		if got := <-done; got != 2 {
			t.Errorf("Drain: got %d cut, want 2", got)
		}
		if got, want := time.Since(start), 31*time.Second; got != want {
			t.Errorf("Drain took %v, want %v: the timeout, then until the release", got, want)
		}
		if got := target.InFlight(); got != 0 {
			t.Errorf("InFlight: got %d, want 0", got)
		}
	})
}

func TestTarget_Drain_givesUpOnWhatNobodyReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := inFlightTarget(t, &fakeTransport{cut: func() int { return 1 }}, 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if got := target.Drain(ctx); got != 2 {
			t.Errorf("Drain: got %d cut, want both", got)
		}
		if got, want := time.Since(start), time.Second+cutGrace; got != want {
			t.Errorf("Drain took %v, want %v", got, want)
		}
	})
}

func TestTarget_Drain_withoutTransport(t *testing.T) {
	target := inFlightTarget(t, nil, 2)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := target.Drain(ended); got != 2 {
		t.Errorf("Drain: got %d cut, want 2", got)
	}
}

func TestTarget_Undrain_endsAWaitingDrainWithoutACut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &fakeTransport{}
		target := inFlightTarget(t, transport, 1)
		done := drain(t.Context(), target)
		if !isWaiting(done) {
			t.Fatal("Drain returned with 1 in flight")
		}
		target.Undrain()
		target.Undrain() // idempotent
		if got := <-done; got != 0 {
			t.Errorf("Drain: got %d cut, want 0", got)
		}
		if target.Draining() || !target.acquire(healthyOnly) {
			t.Error("after Undrain the target must take requests")
		}
		if got := transport.cuts.Load(); got != 0 {
			t.Errorf("Cut: got %d calls, want 0", got)
		}
	})
}

func TestTarget_Drain_worksAgainAfterUndrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := inFlightTarget(t, &fakeTransport{}, 0)
		target.Drain(t.Context())
		target.Undrain()
		if !target.acquire(healthyOnly) {
			t.Fatal("acquire after Undrain: refused")
		}
		done := drain(t.Context(), target)
		if !isWaiting(done) {
			t.Fatal("second Drain returned with 1 in flight")
		}
		target.Release()
		<-done
	})
}

func TestTarget_WaitIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := inFlightTarget(t, nil, 1)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if target.WaitIdle(short) {
			t.Error("WaitIdle with 1 in flight: got true, want false at the end of ctx")
		}
		empty := make(chan bool, 1)
		go func() { empty <- target.WaitIdle(t.Context()) }()
		synctest.Wait()
		if !target.acquire(healthyOnly) {
			t.Fatal("WaitIdle must not make the target refuse requests")
		}
		target.Release()
		synctest.Wait()
		if len(empty) != 0 {
			t.Fatal("WaitIdle returned with 1 in flight")
		}
		target.Release()
		if !<-empty {
			t.Error("WaitIdle: got false, want true")
		}
	})
}

// Either Drain sees the count, or acquire sees the flag: whoever acquired is
// waited for, and once Drain returned nobody acquires until Undrain.
func TestTarget_Drain_neverMissesARequest(t *testing.T) {
	for _, limit := range []int{0, 1, 8} {
		target := NewTarget(TargetOptions{Health: health.Healthy, MaxInFlight: limit})
		pool := NewPool([]*Target{target}, PoolOptions{})
		var empty, done atomic.Bool // empty: between the end of Drain and Undrain
		var served, missed atomic.Int64
		var workers sync.WaitGroup
		for range 3 {
			workers.Go(func() {
				for !done.Load() {
					got, err := pool.Acquire(nil)
					if err != nil {
						runtime.Gosched()
						continue
					}
					if empty.Load() {
						missed.Add(1)
					}
					served.Add(1)
					got.Release()
					runtime.Gosched()
				}
			})
		}
		cut := 0
		for range 5000 {
			cut += target.Drain(t.Context())
			empty.Store(true)
			runtime.Gosched() // whoever slipped through shows up here
			empty.Store(false)
			target.Undrain()
			runtime.Gosched()
		}
		done.Store(true)
		workers.Wait()
		if cut != 0 || missed.Load() != 0 || target.InFlight() != 0 {
			t.Errorf("limit %d: cut %d, in flight after Drain %d, left %d; want 0 of each (%d served)",
				limit, cut, missed.Load(), target.InFlight(), served.Load())
		}
		if served.Load() == 0 {
			t.Errorf("limit %d: nothing was served, so nothing was tested", limit)
		}
	}
}
