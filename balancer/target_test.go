package balancer

import (
	"testing"

	"upfront/health"
)

func TestNewTarget_defaults(t *testing.T) {
	for _, test := range []struct {
		name     string
		in, want int
	}{
		{"zero is one", 0, 1},
		{"negative is one", -5, 1},
		{"kept", 7, 7},
		{"bounded", 1 << 40, 65536},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := NewTarget(TargetOptions{Weight: test.in}).Weight(); got != test.want {
				t.Errorf("Weight of %d: got %d, want %d", test.in, got, test.want)
			}
		})
	}
	target := NewTarget(TargetOptions{Address: "app:3000"})
	if got := target.Health(); got != health.Starting {
		t.Errorf("Health: got %v, want starting", got)
	}
	if target.Draining() || target.Full() || target.InFlight() != 0 || target.Transport() != nil {
		t.Errorf("a new target must not be draining, full or counted, nor have a transport")
	}
}

// The three facts are independent: each alone makes a target unavailable.
func TestTarget_Acquire_needsAllThreeFacts(t *testing.T) {
	for _, status := range []health.Status{health.Starting, health.Healthy, health.Unhealthy} {
		for _, draining := range []bool{false, true} {
			for _, full := range []bool{false, true} {
				target := NewTarget(TargetOptions{Health: health.Healthy, MaxInFlight: 1})
				if full && !target.acquire(healthyOnly) {
					t.Fatal("acquire to fill the target: refused")
				}
				target.SetHealth(status)
				if draining {
					target.refuse()
				}
				before := target.InFlight()

				got := target.acquire(healthyOnly)

				want := status == health.Healthy && !draining && !full
				if got != want {
					t.Errorf("%v draining=%v full=%v: acquire got %v, want %v", status, draining, full, got, want)
				}
				if !got && target.InFlight() != before {
					t.Errorf("%v draining=%v full=%v: a refused acquire left a count", status, draining, full)
				}
			}
		}
	}
}

func TestTarget_Full_endsWithRelease(t *testing.T) {
	target := NewTarget(TargetOptions{Health: health.Healthy, MaxInFlight: 2})
	for range 2 {
		if target.Full() || !target.acquire(healthyOnly) {
			t.Fatal("acquire below the limit: refused")
		}
	}
	if !target.Full() || target.acquire(healthyOnly) {
		t.Fatal("acquire at the limit: not refused")
	}
	target.Release()
	if target.Full() || !target.acquire(healthyOnly) {
		t.Fatal("acquire after a release: refused")
	}
}

func TestTarget_Release_panicsWithoutAcquire(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Release without Acquire: no panic")
		}
	}()
	NewTarget(TargetOptions{}).Release()
}

func TestTarget_Close_closesTheTransportOnce(t *testing.T) {
	transport := &fakeTransport{}
	target := NewTarget(TargetOptions{Transport: transport})
	target.Close()
	target.Close()
	if got := transport.closes.Load(); got != 1 {
		t.Errorf("Close: got %d closes of the transport, want 1", got)
	}
	NewTarget(TargetOptions{}).Close() // without a transport: nothing to do
}

func TestTarget_Failed_suspectsOncePerRun(t *testing.T) {
	var reasons []string
	target := NewTarget(TargetOptions{
		Health:    health.Healthy,
		OnSuspect: func(reason string) { reasons = append(reasons, reason) },
	})
	expect := func(when string, want int) {
		t.Helper()
		if len(reasons) != want {
			t.Fatalf("%s: got %d suspicions %q, want %d", when, len(reasons), reasons, want)
		}
	}
	target.Failed("one")
	target.Failed("two")
	target.Succeeded()
	target.Failed("one")
	target.Failed("two")
	expect("a success breaks the run", 0)
	target.Failed("three")
	expect("third in a row", 1)
	if reasons[0] != "three" {
		t.Errorf("reason: got %q, want the one that completed the run", reasons[0])
	}
	target.Failed("four")
	target.Failed("five")
	expect("later ones of the same run", 1)

	target.SetHealth(health.Unhealthy)
	target.Failed("late")
	expect("a late failure while unhealthy", 1)
	target.SetHealth(health.Healthy)
	target.Failed("one")
	target.Failed("two")
	expect("a verdict forgets the old run", 1)
	target.Failed("three")
	expect("a new run", 2)
}

func TestTarget_Failed_threshold(t *testing.T) {
	for _, test := range []struct {
		name            string
		passiveFailures int
		want            int // failures until the suspicion, 0 for never
	}{
		{"default", 0, 3},
		{"one", 1, 1},
		{"five", 5, 5},
		{"off", -1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, failures := 0, 0
			target := NewTarget(TargetOptions{
				PassiveFailures: test.passiveFailures,
				OnSuspect:       func(string) { got = failures },
			})
			for failures = 1; failures <= 10; failures++ {
				target.Failed("reset")
			}
			if got != test.want {
				t.Errorf("suspected after %d failures, want %d", got, test.want)
			}
		})
	}
	NewTarget(TargetOptions{PassiveFailures: 1}).Failed("nobody to tell") // must not panic
}
