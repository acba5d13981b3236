package api

import "net/url"

// The paths of the control socket. They are written once, for the client and
// for the daemon.
const (
	PathVersion  = "/v1/version"
	PathStatus   = "/v1/status"
	PathServices = "/v1/services"
	PathReload   = "/v1/reload"
	PathCheck    = "/v1/check"
	PathMetrics  = "/v1/metrics"
	PathOpenAPI  = "/v1/openapi.json"
)

// Verb is a call that changes one service: the end of its path.
type Verb string

// The verbs.
const (
	VerbDeploy   Verb = "deploy"
	VerbAdd      Verb = "add"
	VerbRemove   Verb = "remove"
	VerbDrain    Verb = "drain"
	VerbPause    Verb = "pause"
	VerbStop     Verb = "stop"
	VerbResume   Verb = "resume"
	VerbRollback Verb = "rollback"

	VerbRolloutDeploy Verb = "rollout/deploy"
	VerbRolloutSet    Verb = "rollout/set"
	VerbRolloutStop   Verb = "rollout/stop"
)

// ServicePath is where one service is read. The name is escaped, so that a
// wrong one is refused by name rather than read as another path.
func ServicePath(name string) string {
	return PathServices + "/" + url.PathEscape(name)
}

// VerbPath is where one service is changed.
func VerbPath(name string, verb Verb) string {
	return ServicePath(name) + "/" + string(verb)
}

// MaxRequestBytes is how large the body of one call may be; a larger one is
// answered with CodeTooLarge.
const MaxRequestBytes = 1 << 20

// ContentTypeEvents is the content type of a streamed answer: one Event a line.
const ContentTypeEvents = "application/x-ndjson"
