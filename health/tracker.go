package health

// tracker turns the results of probes into a status. It is pure: no clock, no
// I/O, one owner.
//
//	Starting → Healthy:   HealthyThreshold good probes in a row
//	Healthy → Unhealthy:  MaxAttempts failed probes in a row, or a suspicion
//	Unhealthy → Healthy:  HealthyThreshold good probes in a row, or one when
//	                      nothing but a suspicion spoke against the target
//
// A target that is Starting and fails stays Starting: how long that may take is
// for the deploy to say.
type tracker struct {
	status    Status
	healthy   int // HealthyThreshold
	attempts  int // MaxAttempts
	contrary  int // results in a row that speak against status
	suspected bool
}

func newTracker(o Options) tracker {
	return tracker{status: o.Initial, healthy: o.HealthyThreshold, attempts: o.MaxAttempts}
}

// observe takes the result of a probe and reports whether the status changed.
func (t *tracker) observe(ok bool) bool {
	suspected := t.suspected
	t.suspected = false
	if ok == (t.status == Healthy) {
		t.contrary = 0
		return false
	}
	t.contrary++
	switch {
	case t.status == Healthy && t.contrary >= t.attempts:
		t.turn(Unhealthy)
	case t.status != Healthy && (t.contrary >= t.healthy || suspected):
		// One good probe answers a suspicion: no probe had failed before it.
		t.turn(Healthy)
	default:
		return false
	}
	return true
}

// suspect takes evidence of traffic and reports whether the status changed.
func (t *tracker) suspect() bool {
	if t.status != Healthy {
		return false
	}
	t.turn(Unhealthy)
	t.suspected = true
	return true
}

// unsettled reports whether the last probe spoke against the status, without
// having changed it yet.
func (t *tracker) unsettled() bool { return t.contrary > 0 }

// settled reports whether the target is healthy and nothing speaks against that.
func (t *tracker) settled() bool { return t.status == Healthy && t.contrary == 0 }

// urgent reports whether the next probe may decide a doubt.
func (t *tracker) urgent() bool { return t.contrary > 0 || t.suspected }

func (t *tracker) turn(s Status) {
	t.status = s
	t.contrary = 0
}
