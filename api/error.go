package api

// Code says what kind of error a call ended with; scripts can rely on it.
type Code string

// The codes.
const (
	CodeInvalid    Code = "invalid"     // the request is wrong; nothing was tried
	CodeNotFound   Code = "not_found"   // no such service or target
	CodeConflict   Code = "conflict"    // another service has the route
	CodeOwned      Code = "owned"       // the config file owns what was asked to change
	CodeUnhealthy  Code = "unhealthy"   // a target did not become healthy in time
	CodeCanceled   Code = "canceled"    // the caller left before anything changed
	CodeSuperseded Code = "superseded"  // a newer deploy took over
	CodeState      Code = "state"       // the state file could not be written; nothing changed
	CodeInternal   Code = "internal"    // a defect of proxyd
	CodeBusy       Code = "busy"        // too many calls at once
	CodeDenied     Code = "denied"      // the caller may not use the socket
	CodeTooLarge   Code = "too_large"   // the request is larger than 1 MiB
	CodeTimeout    Code = "timeout"     // the request did not arrive in time
	CodeNoConfig   Code = "no_config"   // proxyd runs without a config file
	CodeNoPrevious Code = "no_previous" // there is nothing to roll back to
	CodeNoRollout  Code = "no_rollout"  // no target is in the rollout slot
)

// Error is what a call failed with: a code, one sentence, and the flag to
// change where there is one.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Flag    string `json:"flag,omitempty"`
}

// Error returns the sentence.
func (e *Error) Error() string { return e.Message }
