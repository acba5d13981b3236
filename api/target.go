package api

import (
	"path"
	"strconv"
	"strings"
)

// Scheme is how a target is spoken to.
type Scheme string

// The schemes.
const (
	SchemeHTTP  Scheme = "http"  // HTTP/1.1; what host:port alone means
	SchemeHTTPS Scheme = "https" // HTTP/1.1 over TLS
	SchemeH2C   Scheme = "h2c"   // HTTP/2 without TLS
	SchemeH2    Scheme = "h2"    // HTTP/2 over TLS
	SchemeUnix  Scheme = "unix"  // HTTP/1.1 over a unix socket
)

// TLS reports whether targets of the scheme are spoken to over TLS.
func (s Scheme) TLS() bool { return s == SchemeHTTPS || s == SchemeH2 }

// HTTP2 reports whether targets of the scheme are spoken to in HTTP/2.
func (s Scheme) HTTP2() bool { return s == SchemeH2C || s == SchemeH2 }

// Address is the address of a target in its parts.
type Address struct {
	Scheme Scheme
	// Place is host:port, an IPv6 address in brackets, or the path of a unix socket.
	Place string
}

// String is the one form in which addresses are compared: host:port for plain
// HTTP, unix:/path, else scheme://host:port.
func (a Address) String() string {
	switch a.Scheme {
	case SchemeHTTP:
		return a.Place
	case SchemeUnix:
		return "unix:" + a.Place
	default:
		return string(a.Scheme) + "://" + a.Place
	}
}

const wantAddress = `write it as HOST:PORT, like "web-1:3000" or "[::1]:3000"`

// ParseAddress returns the address of a target in its one form: as host:port, with
// the usual port of its scheme when text names none; an IPv6 address stands in
// brackets. The error is an *Error.
func ParseAddress(text string) (string, error) {
	a, err := ReadAddress(text)
	if err != nil {
		return "", err
	}
	return a.String(), nil
}

// ReadAddress takes the address of a target apart. The error is an *Error.
func ReadAddress(text string) (Address, error) {
	if text == "" {
		return Address{}, invalid("--target", "target is empty: %s", wantAddress)
	}
	if socket, ok := strings.CutPrefix(text, "unix:"); ok {
		if !isSocketPath(socket) {
			return Address{}, invalid("--target",
				"target %q is not a unix socket: write it as unix:/PATH, absolute and of at most %d bytes, without spaces and commas",
				text, maxSocketPath)
		}
		return Address{SchemeUnix, socket}, nil
	}
	scheme, rest := SchemeHTTP, text
	if before, after, found := strings.Cut(text, "://"); found {
		scheme, rest = Scheme(before), after
	}
	usual := DefaultTargetPort
	switch scheme {
	case SchemeHTTP, SchemeH2C:
	case SchemeHTTPS, SchemeH2:
		usual = DefaultTargetTLSPort
	default:
		return Address{}, invalid("--target",
			"target %q has an unknown scheme: write HOST:PORT alone, or with http://, https://, h2c:// or h2://, or unix:/PATH", text)
	}
	host, port, ok := splitAddress(rest)
	if !ok || !isTargetHost(host) {
		return Address{}, invalid("--target", "target %q is not an address: %s", text, wantAddress)
	}
	if port == "" {
		port = strconv.Itoa(usual)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 || !isDigits(port) {
		return Address{}, invalid("--target", "target %q has port %q: use a port from 1 to 65535", text, port)
	}
	return Address{scheme, host + ":" + strconv.FormatUint(number, 10)}, nil
}

// isSocketPath accepts paths that look the same in a flag, a list and a log.
func isSocketPath(p string) bool {
	return len(p) > 1 && len(p) <= maxSocketPath && p[0] == '/' && path.Clean(p) == p &&
		isVisible(p) && !strings.ContainsAny(p, ",=")
}

// TargetTLS is how targets are spoken to over TLS. Files are those that proxyd
// sees; they are read again when they change.
type TargetTLS struct {
	// CA is a file with the certificates, in PEM, of the authorities that are
	// trusted. Empty is those of the system.
	CA string `json:"ca,omitempty"`
	// Name is asked for (SNI) and has to be in the certificate. Empty is the host of
	// the target's address.
	Name string `json:"name,omitempty"`
	// Certificate and Key are files in PEM with what we show to targets that ask who
	// we are. Empty is nothing.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
	// InsecureSkipVerify takes any certificate: whoever can redirect the connection
	// can read and change everything.
	InsecureSkipVerify bool `json:"insecure_skip_verify,omitempty"`
}

func (t *TargetTLS) validate() error {
	if t == nil {
		return nil
	}
	for _, file := range []struct{ flag, path string }{
		{"--target-tls-ca", t.CA}, {"--target-tls-certificate", t.Certificate}, {"--target-tls-key", t.Key},
	} {
		if file.path != "" && (!strings.HasPrefix(file.path, "/") || strings.ContainsRune(file.path, 0)) {
			return invalid(file.flag, "file %q is not an absolute path: set %s to one as proxyd sees it", file.path, file.flag)
		}
	}
	if (t.Certificate == "") != (t.Key == "") {
		return invalid("--target-tls-key",
			"a certificate for targets needs its key, and the other way round: set --target-tls-certificate and --target-tls-key")
	}
	if t.Name != "" && !isTargetHost(t.Name) {
		return invalid("--target-tls-name",
			"name %q of the target's certificate is not a hostname: set --target-tls-name to something like app.internal", t.Name)
	}
	if t.InsecureSkipVerify && t.CA != "" {
		return invalid("--target-tls-insecure-skip-verify",
			"a CA means nothing where certificates are not verified: give --target-tls-ca or --target-tls-insecure-skip-verify")
	}
	return nil
}

// Fits reports what s asks of targets that they cannot do, as an *Error, or nil.
func (s Spec) Fits(targets ...Target) error {
	for _, t := range targets {
		a, err := ReadAddress(t.Address)
		if err != nil {
			return err
		}
		if s.HealthCheck.GRPC != nil && !a.Scheme.HTTP2() {
			return invalid("--health-check-grpc",
				"target %q does not speak gRPC: write it with h2c:// or h2://, or leave --health-check-grpc away", t.Address)
		}
		if s.HealthCheck.Port != 0 && a.Scheme == SchemeUnix {
			return invalid("--health-check-port", "target %q has no ports: leave --health-check-port away", t.Address)
		}
	}
	return nil
}

// isServiceName accepts the names of gRPC services, and "" for all of a target.
func isServiceName(name string) bool {
	for _, c := range []byte(name) {
		if !isAlnum(c) && !strings.ContainsRune("._-/", rune(c)) {
			return false
		}
	}
	return len(name) <= 256
}
