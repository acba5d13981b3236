package api

import "strings"

// Split says which requests of a service its rollout targets take; all others go to
// its active ones. The zero value sends nobody.
type Split struct {
	// Percent of the visitors, 0 to 100, that the rollout targets take. A visitor
	// is a value of the cookie kamal-rollout, which the app sets, and stays on its
	// side while Percent only grows. Default 0.
	Percent int `json:"percent,omitempty"`
	// List has the values of that cookie that the rollout targets take whatever
	// Percent is.
	List []string `json:"list,omitempty"`
	// Headers take a request that has one of them, whatever its cookies say.
	Headers []HeaderMatch `json:"headers,omitempty"`
	// Random makes a visitor of everybody who has no cookie kamal-rollout: proxyd
	// draws a value for them, and has them keep it in the cookie upfront-rollout.
	Random bool `json:"random,omitempty"`
}

// HeaderMatch is a header that a request has.
type HeaderMatch struct {
	// Name in any case.
	Name string `json:"name"`
	// Value that the header has, exactly; empty is any.
	Value string `json:"value,omitempty"`
}

// RolloutState is the rollout slot of a service as the state file keeps it.
type RolloutState struct {
	Targets []Target `json:"targets"`
	Readers []Target `json:"readers,omitempty"`
	Split   Split    `json:"split"`
}

// RolloutInfo is the rollout slot of a service as list and status show it.
type RolloutInfo struct {
	Targets []TargetInfo `json:"targets"`
	Readers []TargetInfo `json:"readers,omitempty"`
	Split   Split        `json:"split"`
}

// RolloutDeployRequest replaces the targets in the rollout slot of a service. They
// follow the spec of the service; which requests they take is not changed.
type RolloutDeployRequest struct {
	Targets []Target `json:"targets"`
	// Readers take only requests that read; see DeployRequest.
	Readers       []Target `json:"readers,omitempty"`
	DeployTimeout Duration `json:"deploy_timeout,omitempty"`
	DrainTimeout  Duration `json:"drain_timeout,omitempty"`
	// Supersede cancels a deploy to the same slot that is still waiting.
	Supersede bool `json:"supersede,omitempty"`
}

// RolloutSetRequest says which requests the rollout targets take from now on.
type RolloutSetRequest struct {
	Split Split `json:"split"`
}

// RolloutStopRequest sends every request to the active targets, then drains and
// forgets those of the rollout.
type RolloutStopRequest struct {
	DrainTimeout Duration `json:"drain_timeout,omitempty"`
}

// WithDefaults returns r with its timeouts and targets completed.
func (r RolloutDeployRequest) WithDefaults() RolloutDeployRequest {
	r.Targets = mapEach(r.Targets, Target.WithDefaults)
	r.Readers = mapEach(r.Readers, Target.WithDefaults)
	r.DeployTimeout = orDefault(r.DeployTimeout, DefaultDeployTimeout)
	r.DrainTimeout = orDefault(r.DrainTimeout, DefaultDrainTimeout)
	return r
}

// WithDefaults returns r with its timeout completed.
func (r RolloutStopRequest) WithDefaults() RolloutStopRequest {
	r.DrainTimeout = orDefault(r.DrainTimeout, DefaultDrainTimeout)
	return r
}

// Validate reports what is wrong with r, as an *Error, or nil.
func (r RolloutDeployRequest) Validate() error {
	if err := ValidateTargets(r.Targets); err != nil {
		return err
	}
	if err := ValidateReaders(r.Readers); err != nil {
		return err
	}
	return validateTimeouts(r.DeployTimeout, r.DrainTimeout, 0)
}

// Validate reports what is wrong with r, as an *Error, or nil.
func (r RolloutSetRequest) Validate() error { return r.Split.Validate() }

// Validate reports what is wrong with r, as an *Error, or nil.
func (r RolloutStopRequest) Validate() error { return validateTimeouts(0, r.DrainTimeout, 0) }

// Validate reports what is wrong with s, as an *Error with the flag to change, or
// nil.
func (s Split) Validate() error {
	if s.Percent < 0 || s.Percent > 100 {
		return invalid("--percent", "percent %d is not between 0 and 100: change --percent", s.Percent)
	}
	if len(s.List) > maxList {
		return invalid("--list", "%d values are too many: at most %d in --list", len(s.List), maxList)
	}
	for _, value := range s.List {
		if value == "" || !isVisible(value) || strings.ContainsAny(value, "\",;\\") {
			return invalid("--list", "value %q is none that a cookie can have: change --list", value)
		}
	}
	if len(s.Headers) > maxList {
		return invalid("--header", "%d headers are too many: at most %d --header flags", len(s.Headers), maxList)
	}
	for _, h := range s.Headers {
		if err := h.validate("--header"); err != nil {
			return err
		}
	}
	return nil
}

func (h HeaderMatch) validate(flag string) error {
	if !isToken(h.Name) {
		return invalid(flag, "%q is not a header name: write %s as 'Name: value', or as 'Name' for any value", h.Name, flag)
	}
	for _, c := range []byte(h.Value) {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return invalid(flag, "header %s has a control character in its value: change %s", h.Name, flag)
		}
	}
	return nil
}

// Sends reports whether s sends anybody to the rollout targets.
func (s Split) Sends() bool { return s.Percent > 0 || len(s.List) > 0 || len(s.Headers) > 0 }
