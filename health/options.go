package health

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"
)

// UserAgent is what probes call themselves when Options names nothing else.
const UserAgent = "Upfront-HealthCheck"

// minInterval keeps a mistaken interval from probing a target in a tight loop.
const minInterval = 5 * time.Millisecond

// Options say how one target is probed and judged. Zero and negative numbers
// mean the default named beside the field. NewMonitor copies what it keeps.
type Options struct {
	// Address of the target as host:port. A name is resolved on every probe.
	Address string
	// Paths that must all answer well; probed one after the other, up to the
	// first bad one. Default ["/up"].
	Paths []string
	// Port to probe instead of the one in Address. Zero is the target's own.
	Port int
	// GRPC is the service that the gRPC health protocol is asked about instead of
	// Paths, "" being all of the target. Nil asks the Paths.
	GRPC *string
	// Host is sent as the Host header. Empty is the address that is probed.
	Host string
	// Headers are added to every request of a probe. User-Agent may be among
	// them; Connection, Content-Length and Transfer-Encoding are left out.
	Headers map[string]string
	// UserAgent of the probes. Default UserAgent.
	UserAgent string
	// Interval between the starts of two probes of a healthy target, give or
	// take a tenth. Default 1s.
	Interval time.Duration
	// Timeout of one probe: name lookup, connect and every path to the last
	// byte. Default 5s.
	Timeout time.Duration
	// HealthyThreshold is how many good probes in a row make a target healthy.
	// Default 1.
	HealthyThreshold int
	// MaxAttempts is how many failed probes in a row make a healthy target
	// unhealthy. Default 3.
	MaxAttempts int
	// StatusMin and StatusMax are the range of HTTP statuses that count as
	// good, both included. Redirects are not followed. Default 200 and 299;
	// with only StatusMin set, that one status is good.
	StatusMin, StatusMax int
	// Body is text that every good answer must contain within its first
	// 64 KiB. Empty accepts any body.
	Body string
	// Initial is the status before the first probe: Starting, or Healthy for a
	// target that was healthy when the state was saved.
	Initial Status
	// Crowd is shared with other monitors. Nil is a crowd of one, which keeps no
	// connections.
	Crowd *Crowd
	// Dial connects to the target; it must return soon after ctx ends. The
	// connection has to speak HTTP/1.1. An error that has a method Cause says by it
	// why. Nil is a net.Dialer, which caches no names.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// withDefaults returns o with every default filled in, sharing no slice or map
// with it.
func (o Options) withDefaults() Options {
	if len(o.Paths) == 0 {
		o.Paths = []string{"/up"}
	}
	o.Paths = slices.Clone(o.Paths)
	o.Headers = maps.Clone(o.Headers)
	if o.UserAgent == "" {
		o.UserAgent = UserAgent
	}
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	o.Interval = max(o.Interval, minInterval)
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.HealthyThreshold <= 0 {
		o.HealthyThreshold = 1
	}
	if o.MaxAttempts <= 0 {
		o.MaxAttempts = 3
	}
	switch {
	case o.StatusMin <= 0 && o.StatusMax <= 0:
		o.StatusMin, o.StatusMax = 200, 299
	case o.StatusMin <= 0:
		o.StatusMin = min(200, o.StatusMax)
	case o.StatusMax <= 0:
		o.StatusMax = o.StatusMin
	}
	if o.Crowd == nil {
		o.Crowd = NewCrowd(nil)
	}
	if o.Dial == nil {
		// A probe's connection lives for one answer: keep-alive packets would
		// only cost system calls.
		o.Dial = (&net.Dialer{KeepAlive: -1}).DialContext
	}
	return o
}

// probeAddress is where probes connect to: Address, with Port when that is set.
func (o Options) probeAddress() string {
	if o.Port <= 0 {
		return o.Address
	}
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		host = o.Address
	}
	return net.JoinHostPort(host, strconv.Itoa(o.Port))
}
