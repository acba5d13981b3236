package health

import (
	"testing"
	"time"
)

func TestWait(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name             string
		interval         time.Duration
		status           Status
		unsettled        bool
		age              time.Duration
		shortest, widest time.Duration
	}{
		{"healthy", time.Second, Healthy, false, time.Hour, 900 * ms, 1100 * ms},
		{"healthy, one failed", 10 * time.Second, Healthy, true, time.Hour, 500 * ms, 500 * ms},
		{"healthy, one failed, short interval", 100 * ms, Healthy, true, time.Hour, 100 * ms, 100 * ms},
		{"starting", time.Second, Starting, false, 0, 45 * ms, 50 * ms},
		{"starting for 6.4s", time.Second, Starting, false, 6400 * ms, 90 * ms, 100 * ms},
		{"starting for long", time.Second, Starting, false, time.Hour, 900 * ms, time.Second},
		{"starting, short interval", 10 * ms, Starting, false, 0, 9 * ms, 10 * ms},
		{"starting for long, one good", time.Minute, Starting, true, time.Hour, 450 * ms, 500 * ms},
		{"unhealthy", time.Second, Unhealthy, false, 0, 225 * ms, 250 * ms},
		{"unhealthy for 8s", time.Second, Unhealthy, false, 8 * time.Second, 450 * ms, 500 * ms},
		{"unhealthy for long", time.Second, Unhealthy, false, time.Hour, 900 * ms, time.Second},
		{"unhealthy, short interval", 100 * ms, Unhealthy, false, 0, 90 * ms, 100 * ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			low := wait(tt.interval, tt.status, tt.unsettled, tt.age, 0)
			high := wait(tt.interval, tt.status, tt.unsettled, tt.age, 1)
			if !near(low, tt.shortest) || !near(high, tt.widest) {
				t.Errorf("got %v to %v, want %v to %v", low, high, tt.shortest, tt.widest)
			}
		})
	}
}

// near forgives the rounding of a float.
func near(a, b time.Duration) bool { return (a - b).Abs() < time.Microsecond }
