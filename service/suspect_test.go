package service

import (
	"testing"
	"time"

	"upfront/api"
	"upfront/balancer"
	"upfront/health"
)

// rarely probes so seldom that only evidence of traffic can change a verdict.
func rarely() api.Spec {
	spec := quick()
	spec.HealthCheck.Interval = api.Duration(time.Hour)
	return spec
}

func failThrice(target *balancer.Target) {
	for range 3 {
		target.Failed("connect: connection refused")
	}
}

func TestRegistry_evidenceOfTraffic_takesATargetOutWhileAnotherServes(t *testing.T) {
	r := newTestRegistry(t)
	one, other := startApp(t, 200), startApp(t, 200)
	mustDeploy(t, r, "web", rarely(), one, other)
	one.status.Store(503)
	target := r.published("web").members[0].target
	failThrice(target)
	eventually(t, "the target is unhealthy", func() bool { return target.Health() == health.Unhealthy })
}

func TestRegistry_evidenceOfTraffic_neverTakesTheLastTargetOut(t *testing.T) {
	r := newTestRegistry(t)
	one, other := startApp(t, 200), startApp(t, 200)
	mustDeploy(t, r, "web", rarely(), one, other)
	last, out := r.published("web").members[0], r.published("web").members[1]
	out.target.SetHealth(health.Unhealthy)
	probesOfLast, probesOfOut := one.probes.Load(), other.probes.Load()
	failThrice(last.target)
	// A monitor that is told probes at once: the other one is, afterwards.
	out.monitor.Suspect("something to wait for")
	eventually(t, "the other target is probed", func() bool { return other.probes.Load() > probesOfOut })
	if got := last.target.Health(); got != health.Healthy || one.probes.Load() != probesOfLast {
		t.Errorf("the last target is %v after %d probes, want healthy and none", got, one.probes.Load()-probesOfLast)
	}
}
