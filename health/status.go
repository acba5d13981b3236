package health

// Status is what is known of a target. The zero value is Starting, which takes
// no traffic.
type Status int32

// The statuses.
const (
	Starting  Status = iota // no verdict yet
	Healthy                 // the last probes were good
	Unhealthy               // the last probes, or the traffic, failed
)

// String returns the word that users see.
func (s Status) String() string {
	switch s {
	case Starting:
		return "starting"
	case Healthy:
		return "healthy"
	case Unhealthy:
		return "unhealthy"
	}
	return "unknown"
}
