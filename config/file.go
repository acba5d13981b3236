package config

import (
	"net/netip"
	"time"

	"upfront/api"
)

// DefaultPath is where the daemon looks when it is not told otherwise.
const DefaultPath = "/etc/upfront/proxy.yml"

// MaxBytes is how large a file may be.
const MaxBytes = 1 << 20

// File is what a settings file says. A zero field was not said: the default of
// whoever uses it counts.
type File struct {
	Listeners Listeners
	Control   Control
	// Certificates for hosts whose services have none of their own.
	Certificates   []Certificate
	State          string // path of the state file
	TrustedProxies []netip.Prefix
	Upgrades       []string // protocols besides WebSocket
	Limits         Limits
	Headers        Headers
	HTTP2          HTTP2
	Log            Log
	// DrainTimeout is how long requests in flight may take at shutdown.
	DrainTimeout time.Duration
	// ErrorPages are for requests that no service answers for.
	ErrorPages Folder
	// ACME is how certificates are got automatically.
	ACME ACME
	// Services in the order of the file.
	Services []Service
	// NamesServices says that the file has the key services with a value, be it
	// an empty mapping.
	NamesServices bool
}

// Listeners are the addresses where clients arrive.
type Listeners struct {
	HTTP  []Listener
	HTTPS []Listener
}

// Control is the control socket.
type Control struct {
	Socket string // path
	Group  string // whose members may use it, besides root and our own user
}

// Folder is an absolute path, and where the file says it.
type Folder struct {
	Path         string // empty when the file names none
	Line, Column int
}

// Limits bound what one client or one exchange may take.
type Limits struct {
	Connections    int // of clients at once
	PerIP          int // of them, from one address
	HeadBytes      int
	Fields         int
	HeadTimeout    time.Duration
	Handshake      time.Duration // of TLS, and a PROXY header
	IdleTimeout    time.Duration
	ConnectTimeout time.Duration
	BodyTimeout    time.Duration
	BodyRate       int // bytes a second; negative is off
	BodyGrace      time.Duration
	TunnelTimeout  time.Duration
}

// Headers is how header fields of clients are treated.
type Headers struct {
	Underscores string // "drop" or "keep": names with an underscore
}

// HTTP2 is how clients may speak HTTP/2.
type HTTP2 struct {
	Cleartext bool // without TLS, with prior knowledge
}

// Log says what is written where.
type Log struct {
	Level string // "debug", "info", "warn" or "error"
	// Access is "on" (standard output), "off", or the path of a file.
	Access string
	Format string // "json"
}

// Service is one entry below services.
type Service struct {
	Name string
	// Line and Column of the name.
	Line, Column int
	Spec         api.Spec
	// Targets fixed by the file; nil when the control socket sets them.
	Targets []api.Target
	// Readers are fixed targets that only read; only with Targets.
	Readers       []api.Target
	DeployTimeout api.Duration
	DrainTimeout  api.Duration
	// ErrorPages is Spec.ErrorPages with its place.
	ErrorPages Folder
	// TLSLine and TLSColumn are the place of Spec.TLS.
	TLSLine, TLSColumn int
}
