package api

import "time"

// ServiceInfo is one service as list and status show it.
type ServiceInfo struct {
	Name    string       `json:"name"`
	Spec    Spec         `json:"spec"`
	Gate    string       `json:"gate"` // "running", "paused" or "stopped"
	Message string       `json:"message,omitempty"`
	Targets []TargetInfo `json:"targets"`
	// Readers take only requests that read.
	Readers []TargetInfo `json:"readers,omitempty"`
	// Rollout is nil when no target is in the rollout slot.
	Rollout *RolloutInfo `json:"rollout,omitempty"`
	// Previous are the targets that rollback would deploy.
	Previous []Target `json:"previous,omitempty"`
	// Certificates that the service has of its own.
	Certificates []CertificateInfo `json:"certificates,omitempty"`
	// Owner is "file" when the config file fixes the targets, else "socket".
	Owner string `json:"owner"`
	// Problem is what proxyd could not do for this service, for example apply
	// new targets of the config file. Empty when all is well.
	Problem string `json:"problem,omitempty"`
}

// TargetInfo is one target as list and status show it. Health, Draining and
// Full are independent facts.
type TargetInfo struct {
	Address  string `json:"address"`
	Weight   int    `json:"weight"`
	Health   string `json:"health"` // "starting", "healthy" or "unhealthy"
	Draining bool   `json:"draining"`
	Full     bool   `json:"full"`
	InFlight int64  `json:"in_flight"`
	// LastProbe is what the last probe saw, in one sentence.
	LastProbe   string    `json:"last_probe,omitempty"`
	LastProbeAt time.Time `json:"last_probe_at,omitzero"`
	// Checks are the failed or all checks of a JSON health answer.
	Checks map[string]string `json:"checks,omitempty"`
	// Since is when Health became what it is.
	Since time.Time `json:"since,omitzero"`
}

// Status is the state of the daemon as a whole.
type Status struct {
	Version   string            `json:"version"`
	PID       int               `json:"pid"`
	StartedAt time.Time         `json:"started_at"`
	Listeners []string          `json:"listeners"`
	Config    *ConfigStatus     `json:"config,omitempty"`
	State     StateStatus       `json:"state"`
	Counters  map[string]uint64 `json:"counters"`
	Services  []ServiceInfo     `json:"services"`
	// Automatic are the names whose certificates proxyd gets by itself.
	Automatic []AutomaticCertificate `json:"automatic_certificates,omitempty"`
}

// ConfigStatus says which config file is live.
type ConfigStatus struct {
	Path     string    `json:"path"`
	LoadedAt time.Time `json:"loaded_at"`
	// Problem is why the file on disk is not the one that is live, with line
	// and column. Empty when it is.
	Problem string `json:"problem,omitempty"`
}

// StateStatus says where the state came from at start.
type StateStatus struct {
	Path string `json:"path"`
	// Source is "none", "file", "backup", "partial", or "kamal-proxy" when its state
	// was taken over.
	Source string `json:"source"`
	// Problem is what was wrong with the state file at start, or with the last
	// write. Empty when all is well.
	Problem string `json:"problem,omitempty"`
}
