package peer

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// UnixTarget is what the path of a target's unix socket follows.
const UnixTarget = "unix:"

// Options are what a scenario asks of a proxy.
type Options struct {
	Listen string // 127.0.0.1 and a port
	Target string // an address, or UnixTarget and a path
	Dir    string // for configs, sockets and logs; absolute

	// Log lets the proxy write its access log to a file, in the format that is its own.
	Log bool

	// WebSocket lets it carry them, where it has to be told.
	WebSocket bool

	// Streams lets it pass on what it has at once, where it has to be told.
	Streams bool

	// Services is how many there are, each with its own host and the same target; 0 is
	// one for all hosts.
	Services int

	// Probed are further targets, in services of ProbedInService, that are probed every
	// ProbeInterval.
	Probed []string

	// Swap asks for a proxy that can be told another target while it runs.
	Swap bool

	// TLS, when set, has the proxy take TLS on Listen, and HTTP/2 in it.
	TLS *Certificate

	// Settings are lines for the service in Upfront's config; others have none.
	Settings string

	// Descriptors that a process may have open.
	Descriptors int
}

// Certificate is the files of one.
type Certificate struct{ Cert, Key, Both string }

const (
	// ProbedInService is how many probed targets a service has.
	ProbedInService = 100
	// ProbeInterval is the time between two probes of one target.
	ProbeInterval = 5 * time.Second
)

// How far behind the port that a proxy listens on others lie.
const (
	TargetPort = 1 // of the target
	AdminPort  = 2 // of a proxy's own
	TLSPort    = 3 // that a proxy opens unasked
)

// portBehind is address with a port that lies n behind its own.
func portBehind(address string, n int) string {
	host, port, _ := strings.Cut(address, ":")
	number, _ := strconv.Atoi(port)
	return fmt.Sprintf("%s:%d", host, number+n)
}

// Host is the name of the i-th service, or of the only one.
func Host(i int) string { return fmt.Sprintf("s%d.bench.test", i) }

// ProbedTarget is the i-th address of loopback that the target answers at on a port.
func ProbedTarget(i, port int) string {
	return fmt.Sprintf("127.1.%d.%d:%d", i/250, 1+i%250, port)
}

// groups are the probed targets by service.
func (o Options) groups() (all [][]string) {
	for rest := o.Probed; len(rest) > 0; rest = rest[min(ProbedInService, len(rest)):] {
		all = append(all, rest[:min(ProbedInService, len(rest))])
	}
	return all
}

// hosts are the names of the services; none for all hosts.
func (o Options) hosts() []string {
	names := make([]string, o.Services)
	for i := range names {
		names[i] = Host(i)
	}
	return names
}

// CannotError is what a peer cannot do.
type CannotError string

// Error is what it cannot do, in a few words.
func (e CannotError) Error() string { return string(e) }
