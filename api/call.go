package api

// The defaults of the calls that wait.
const (
	DefaultDeployTimeout = Duration(30e9)
	DefaultDrainTimeout  = Duration(30e9)
	DefaultMaxPause      = Duration(30e9)
)

// DeployRequest replaces the whole set of targets of a service, and its spec.
type DeployRequest struct {
	Spec    Spec     `json:"spec"`
	Targets []Target `json:"targets"`
	// Readers are further targets that take only requests that read (GET and
	// HEAD). While one of them is available the others take no such request, but
	// for those of a client that has just written; see Spec.WriterAffinity.
	Readers []Target `json:"readers,omitempty"`
	// DeployTimeout is how long all targets may take to become healthy.
	// Default 30s.
	DeployTimeout Duration `json:"deploy_timeout,omitempty"`
	// DrainTimeout is how long the replaced targets may take to finish what
	// they have in flight. Default 30s.
	DrainTimeout Duration `json:"drain_timeout,omitempty"`
	// Supersede cancels a deploy of the same service that is still waiting,
	// instead of queueing behind it.
	Supersede bool `json:"supersede,omitempty"`
	// Force does not wait for the targets: they replace the old ones at once, and
	// take requests as soon as a probe finds them healthy. Until then there may be
	// nobody who does.
	Force bool `json:"force,omitempty"`
}

// AddRequest joins one more target to a service once it is healthy.
type AddRequest struct {
	Target        Target   `json:"target"`
	DeployTimeout Duration `json:"deploy_timeout,omitempty"`
}

// RemoveRequest takes one target, or the whole service when Target is empty,
// out of rotation, drains it and forgets it.
type RemoveRequest struct {
	Target       string   `json:"target,omitempty"`
	DrainTimeout Duration `json:"drain_timeout,omitempty"`
}

// DrainRequest asks a target, or every target when Target is empty, to take no
// new requests, and waits until it is empty. The target stays in the set, as
// draining; AddRequest with the same address puts it back.
type DrainRequest struct {
	Target       string   `json:"target,omitempty"`
	DrainTimeout Duration `json:"drain_timeout,omitempty"`
}

// PauseRequest holds new requests of a service until it is resumed.
type PauseRequest struct {
	DrainTimeout Duration `json:"drain_timeout,omitempty"`
	// MaxPause is how long one request may be held before it is answered 504.
	// Default 30s.
	MaxPause Duration `json:"max_pause,omitempty"`
}

// StopRequest answers every request of a service with the maintenance page.
type StopRequest struct {
	DrainTimeout Duration `json:"drain_timeout,omitempty"`
	// Message is shown on the maintenance page: plain text in UTF-8, of at most
	// MaxMessage bytes. It may have several lines.
	Message string `json:"message,omitempty"`
}

// RollbackRequest deploys the previous set of targets again, if they still
// answer their probes.
type RollbackRequest struct {
	DeployTimeout Duration `json:"deploy_timeout,omitempty"`
	DrainTimeout  Duration `json:"drain_timeout,omitempty"`
}

// Result is how a call that changed something ended.
type Result struct {
	Service string `json:"service"`
	// Targets that serve now.
	Targets []Target `json:"targets"`
	// Readers that serve now.
	Readers []Target `json:"readers,omitempty"`
	// Drained says, for each target that was emptied, what became of its
	// requests.
	Drained []Drained `json:"drained,omitempty"`
	// Waited is the time until all targets were healthy.
	Waited Duration `json:"waited,omitempty"`
	// Switched is the time that publishing took, state file included.
	Switched Duration `json:"switched,omitempty"`
	// Warnings are what works, but hardly as it was meant, in a sentence each: a host
	// that no certificate of the service is for.
	Warnings []string `json:"warnings,omitempty"`
}

// Drained is what became of the requests of one emptied target.
type Drained struct {
	Target string `json:"target"`
	// Waited is how long the target took to become empty.
	Waited Duration `json:"waited"`
	// Cut is how many requests and tunnels were ended at the drain timeout.
	Cut int `json:"cut"`
	// Left is how many a pause left in flight at the drain timeout.
	Left int `json:"left,omitempty"`
}

// Event is one line of the streamed answer of a call that waits: progress
// lines, then exactly one line with Result or Error.
type Event struct {
	Progress *Progress `json:"progress,omitempty"`
	Result   *Result   `json:"result,omitempty"`
	Error    *Error    `json:"error,omitempty"`
}

// Progress is what a waiting call sees at the moment.
type Progress struct {
	// Phase is "queued", "probing", "switching" or "draining".
	Phase   string           `json:"phase"`
	Targets []TargetProgress `json:"targets,omitempty"`
}

// TargetProgress is one target of a Progress.
type TargetProgress struct {
	Target   string `json:"target"`
	Health   string `json:"health,omitempty"`
	Probe    string `json:"probe,omitempty"`
	InFlight int64  `json:"in_flight,omitempty"`
}
