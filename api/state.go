package api

// StateVersion is the version of the state file that is written.
const StateVersion = 1

// ServiceState is one service as the state file keeps it.
type ServiceState struct {
	Name    string   `json:"name"`
	Spec    Spec     `json:"spec"`
	Targets []Target `json:"targets"`
	Readers []Target `json:"readers,omitempty"`
	// Rollout is nil when no target is in the rollout slot.
	Rollout *RolloutState `json:"rollout,omitempty"`
	// Previous is the set that rollback would deploy, nil when there is none.
	Previous *PreviousState `json:"previous,omitempty"`
	Gate     GateState      `json:"gate"`
}

// PreviousState is the set of targets that the last deploy replaced.
type PreviousState struct {
	Spec    Spec     `json:"spec"`
	Targets []Target `json:"targets"`
	Readers []Target `json:"readers,omitempty"`
}

// GateState is whether a service lets requests through.
type GateState struct {
	// State is "running", "paused" or "stopped". Empty means "running".
	State    string   `json:"state,omitempty"`
	Message  string   `json:"message,omitempty"`
	MaxPause Duration `json:"max_pause,omitempty"`
}
