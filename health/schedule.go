package health

import "time"

// How far apart probes start. The waits of a target that takes no traffic grow
// with the time it has been so: what that adds to the time until it is found
// well stays a small fraction of it, and a target that is down for long costs
// one probe an interval.
const (
	startingWait = 50 * time.Millisecond
	// startingPart: a start of 10 s is noticed within 10 s / 64 = 156 ms.
	startingPart  = 64
	unhealthyWait = 250 * time.Millisecond
	unhealthyPart = 16
	// unsettledWait, so that three failed probes do not take three intervals.
	unsettledWait = 500 * time.Millisecond
	// suspectWait is the least time between two probes asked for by traffic.
	suspectWait = 100 * time.Millisecond
	// restoredWait spreads the first probes of targets that were healthy when
	// the state was saved: they take traffic already, and may be thousands.
	restoredWait = 500 * time.Millisecond
)

// wait is the time from the start of one probe to the start of the next. age is
// how long the target has had its status; random is in [0, 1).
func wait(interval time.Duration, status Status, unsettled bool, age time.Duration, random float64) time.Duration {
	var d time.Duration
	switch status {
	case Healthy:
		if unsettled {
			return min(interval, unsettledWait)
		}
		return jitter(interval, 0.9, 1.1, random)
	case Unhealthy:
		d = max(unhealthyWait, age/unhealthyPart)
	default:
		d = max(startingWait, age/startingPart)
	}
	d = min(d, interval)
	if unsettled {
		d = min(d, unsettledWait)
	}
	// Never longer than the interval: that is how soon a target that returned
	// has to be seen.
	return jitter(d, 0.9, 1, random)
}

// gatherWithin is how far apart probes are begun together: of many targets, a wake-up
// for each would cost as much as the probe.
const gatherWithin = 20 * time.Millisecond

// firstLook is when an answer is first looked for on a kept connection: in time for the
// next gathering.
const firstLook = gatherWithin

// begun is what all monitors count time from.
var begun = time.Now() // immutable

// gather moves the start of a probe forward to that of others. That is little beside
// the jitter of an interval of a second; shorter ones are left alone.
func gather(at time.Time, interval time.Duration) time.Time {
	if interval < time.Second {
		return at
	}
	return at.Add(-(at.Sub(begun) % gatherWithin))
}

// jitter returns d times a factor between low and high.
func jitter(d time.Duration, low, high, random float64) time.Duration {
	return time.Duration(float64(d) * (low + (high-low)*random))
}
