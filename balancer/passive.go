package balancer

// Succeeded and Failed are evidence that traffic gives for nothing: they may make
// a target be looked at sooner, and they never decide. Only a probe brings a
// target back.

// Succeeded reports that an exchange ended with an answer, whatever its status.
// It ends a run of failures.
func (t *Target) Succeeded() {
	if t.failures.Load() != 0 {
		t.failures.Store(0)
	}
}

// Failed reports a connect failure, a reset or a missing answer, never an
// answer's status. The failure that completes a run of PassiveFailures calls
// OnSuspect with its reason; later ones of the same run do not.
func (t *Target) Failed(reason string) {
	limit := t.options.PassiveFailures
	if limit < 0 {
		return
	}
	if t.failures.Add(1) == int32(limit) && t.options.OnSuspect != nil {
		t.options.OnSuspect(reason)
	}
}
