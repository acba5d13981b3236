package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxNameLength is how many bytes the name of a service may have.
const MaxNameLength = 128

// MaxMessage is how many bytes a maintenance message may have.
const MaxMessage = 4 << 10

// MaxWeight is how large the weight of a target may be.
const MaxWeight = 10_000

// The bounds of what a request may ask for; they catch slips, not wishes.
const (
	maxThreshold = 1_000
	maxList      = 1_000
)

// ValidateName reports whether name can be the name of a service: 1 to 128
// letters, digits, dots, underscores and dashes, the first a letter or digit. The
// error is an *Error.
func ValidateName(name string) error {
	if name == "" {
		return invalid("", "a service needs a name: write proxyctl deploy NAME --target HOST:PORT")
	}
	if len(name) > MaxNameLength {
		return invalid("", "service name %q is longer than %d bytes: choose a shorter one",
			name[:32]+"...", MaxNameLength)
	}
	if !isAlnum(name[0]) {
		return invalid("", "service name %q does not start with a letter or a digit: choose another", name)
	}
	for _, c := range []byte(name) {
		if !isAlnum(c) && c != '.' && c != '_' && c != '-' {
			return invalid("", "service name %q has %q in it: use letters, digits, dots, underscores and dashes",
				name, string(rune(c)))
		}
	}
	return nil
}

// Validate reports what is wrong with s, as an *Error with the flag to change,
// or nil. Zero fields are valid: they mean their defaults.
func (s Spec) Validate() error {
	s = s.WithDefaults()
	if err := validateRoutes(s); err != nil {
		return err
	}
	if err := s.validateTLS(); err != nil {
		return err
	}
	if err := s.HealthCheck.Validate(); err != nil {
		return err
	}
	switch s.Policy {
	case PolicyRoundRobin, PolicyLeastConnections, PolicyTwoChoices:
	default:
		return invalid("--policy", "policy %q is unknown: set --policy to %s, %s or %s",
			s.Policy, PolicyRoundRobin, PolicyLeastConnections, PolicyTwoChoices)
	}
	if s.SlowStart < 0 {
		return invalid("--slow-start", "slow start %s is negative: set --slow-start to 0 for off", s.SlowStart)
	}
	if s.MaxRequestBody < 0 {
		return invalid("--max-request-body",
			"max request body %d is negative: set --max-request-body to 0 for no limit", s.MaxRequestBody)
	}
	if s.MaxInFlight < 0 {
		return invalid("--max-in-flight",
			"max in flight %d is negative: set --max-in-flight to 0 for no limit", s.MaxInFlight)
	}
	if s.ErrorPages != "" && (!strings.HasPrefix(s.ErrorPages, "/") || strings.ContainsRune(s.ErrorPages, 0)) {
		return invalid("--error-pages",
			"folder of error pages %q is not an absolute path: set --error-pages to one as proxyd sees it", s.ErrorPages)
	}
	if err := s.TargetTLS.validate(); err != nil {
		return err
	}
	if err := s.validateBuffering(); err != nil {
		return err
	}
	return s.validateHeaders()
}

func (s Spec) validateBuffering() error {
	if s.BufferMemory < 0 {
		return invalid("--buffer-memory",
			"buffer memory %d is negative: set --buffer-memory to 0 for %d bytes", s.BufferMemory, DefaultBufferMemory)
	}
	if s.MaxResponseBody < 0 {
		return invalid("--max-response-body",
			"max response body %d is negative: set --max-response-body to 0 for no limit", s.MaxResponseBody)
	}
	if s.ReplayBody < 0 {
		return invalid("--replay-body", "replay body %d is negative: set --replay-body to 0 for off", s.ReplayBody)
	}
	return nil
}

func validateRoutes(s Spec) error {
	if len(s.Hosts) > maxList {
		return invalid("--host", "%d hosts are too many: at most %d --host flags", len(s.Hosts), maxList)
	}
	if len(s.PathPrefixes) > maxList {
		return invalid("--path-prefix", "%d path prefixes are too many: at most %d --path-prefix flags",
			len(s.PathPrefixes), maxList)
	}
	for i, host := range s.Hosts {
		if err := validateHost(host); err != nil {
			return err
		}
		if slices.Contains(s.Hosts[:i], host) {
			return invalid("--host", "host %q is given twice: name each --host once", host)
		}
	}
	for i, prefix := range s.PathPrefixes {
		if err := validatePrefix(prefix); err != nil {
			return err
		}
		if slices.Contains(s.PathPrefixes[:i], prefix) {
			return invalid("--path-prefix", "path prefix %q is given twice: name each --path-prefix once", prefix)
		}
	}
	return nil
}

// Validate reports what is wrong with h, as an *Error with the flag to change,
// or nil.
func (h HealthCheck) Validate() error {
	if len(h.Paths) > maxList {
		return invalid("--health-check-path", "%d health check paths are too many: at most %d", len(h.Paths), maxList)
	}
	for _, path := range h.Paths {
		if !strings.HasPrefix(path, "/") || !isVisible(path) || strings.Contains(path, "#") {
			return invalid("--health-check-path",
				"health check path %q is not a path: set --health-check-path to something like /up", path)
		}
	}
	if h.Port < 0 || h.Port > 65535 {
		return invalid("--health-check-port",
			"health check port %d is not a port: set --health-check-port to 1-65535, or 0 for the target's own", h.Port)
	}
	if !isVisible(h.Host) || strings.ContainsAny(h.Host, "/?#@\\") {
		return invalid("--health-check-host",
			"health check host %q is not a host: set --health-check-host to something like app.example.com", h.Host)
	}
	if h.GRPC != nil && !isServiceName(*h.GRPC) {
		return invalid("--health-check-grpc",
			"health check grpc %q is not a service: set --health-check-grpc to something like shop.v1.Cart", *h.GRPC)
	}
	if _, _, err := ParseStatus(h.Status); h.Status != "" && err != nil {
		return err
	}
	if err := validateHeaders(h.Headers); err != nil {
		return err
	}
	return validatePace(h)
}

// validatePace judges how often, how long and how many times to probe.
func validatePace(h HealthCheck) error {
	if h.Interval < 0 {
		return invalid("--health-check-interval",
			"health check interval %s is negative: set --health-check-interval to something like 1s", h.Interval)
	}
	if h.Timeout < 0 {
		return invalid("--health-check-timeout",
			"health check timeout %s is negative: set --health-check-timeout to something like 5s", h.Timeout)
	}
	if h.HealthyThreshold < 0 || h.HealthyThreshold > maxThreshold {
		return invalid("--healthy-threshold",
			"healthy threshold %d is not between 1 and %d: change --healthy-threshold",
			h.HealthyThreshold, maxThreshold)
	}
	if h.MaxAttempts < 0 || h.MaxAttempts > maxThreshold {
		return invalid("--max-attempts",
			"max attempts %d is not between 1 and %d: change --max-attempts", h.MaxAttempts, maxThreshold)
	}
	return nil
}

func validateHeaders(headers map[string]string) error {
	for name, value := range headers {
		if !isToken(name) {
			return invalid("--health-check-header", "health check header %q is not a header name", name)
		}
		for _, c := range []byte(value) {
			if (c < ' ' && c != '\t') || c == 0x7f {
				return invalid("--health-check-header",
					"health check header %s has a control character in its value", name)
			}
		}
	}
	return nil
}

// ValidateTargets reports what is wrong with the targets of a service, as an
// *Error, or nil: none at all, an address that is none, one given
// twice, or a weight that is out of range.
func ValidateTargets(targets []Target) error {
	if len(targets) == 0 {
		return invalid("--target", "a service needs at least one target: set --target HOST:PORT")
	}
	if len(targets) > maxList {
		return invalid("--target", "%d targets are too many: at most %d", len(targets), maxList)
	}
	seen := make(map[string]bool, len(targets))
	for _, t := range targets {
		if err := t.Validate(); err != nil {
			return err
		}
		address := t.WithDefaults().Address
		if seen[address] {
			return invalid("--target", "target %q is given twice: name each --target once", address)
		}
		seen[address] = true
	}
	return nil
}

// ValidateReaders reports what is wrong with the targets of a service that only
// read, as an *Error, or nil. There need not be any.
func ValidateReaders(readers []Target) error {
	if len(readers) == 0 {
		return nil
	}
	err := ValidateTargets(readers)
	if e, ok := errors.AsType[*Error](err); ok && e.Flag == "--target" {
		return &Error{Code: e.Code, Message: strings.ReplaceAll(e.Message, "--target", "--read-target"), Flag: "--read-target"}
	}
	return err
}

// Validate reports what is wrong with t, as an *Error, or nil.
func (t Target) Validate() error {
	if _, err := ParseAddress(t.Address); err != nil {
		return err
	}
	if t.Weight < 0 || t.Weight > MaxWeight {
		return invalid("--weight", "weight %d of target %q is not between 1 and %d", t.Weight, t.Address, MaxWeight)
	}
	return nil
}

// Validate reports what is wrong with r, as an *Error, or nil.
func (r DeployRequest) Validate() error {
	if err := r.Spec.Validate(); err != nil {
		return err
	}
	if err := ValidateTargets(r.Targets); err != nil {
		return err
	}
	if err := ValidateReaders(r.Readers); err != nil {
		return err
	}
	if err := r.Spec.Fits(slices.Concat(r.Targets, r.Readers)...); err != nil {
		return err
	}
	return validateTimeouts(r.DeployTimeout, r.DrainTimeout, 0)
}

// Validate reports what is wrong with r, as an *Error, or nil.
func (r AddRequest) Validate() error {
	if err := r.Target.Validate(); err != nil {
		return err
	}
	return validateTimeouts(r.DeployTimeout, 0, 0)
}

// Validate reports what is wrong with r, as an *Error, or nil.
func (r RemoveRequest) Validate() error { return validateOptional(r.Target, r.DrainTimeout) }

// Validate reports what is wrong with r, as an *Error, or nil.
func (r DrainRequest) Validate() error { return validateOptional(r.Target, r.DrainTimeout) }

// Validate reports what is wrong with r, as an *Error, or nil.
func (r PauseRequest) Validate() error { return validateTimeouts(0, r.DrainTimeout, r.MaxPause) }

// Validate reports what is wrong with r, as an *Error, or nil.
func (r StopRequest) Validate() error {
	if err := validateMessage(r.Message); err != nil {
		return err
	}
	return validateTimeouts(0, r.DrainTimeout, 0)
}

// Validate reports what is wrong with r, as an *Error, or nil.
func (r RollbackRequest) Validate() error {
	return validateTimeouts(r.DeployTimeout, r.DrainTimeout, 0)
}

// validateMessage judges what visitors will read. It may have several lines.
func validateMessage(message string) error {
	if len(message) > MaxMessage {
		return invalid("--message", "message of %d bytes is too long: at most %d", len(message), MaxMessage)
	}
	if !utf8.ValidString(message) {
		return invalid("--message", "message is not UTF-8: write --message in that encoding")
	}
	for _, c := range normalLines(message) {
		if unicode.IsControl(c) && c != '\n' && c != '\t' {
			return invalid("--message", "message has the control character %U in it: remove it", c)
		}
	}
	return nil
}

func validateOptional(target string, drain Duration) error {
	if target != "" {
		if _, err := ParseAddress(target); err != nil {
			return err
		}
	}
	return validateTimeouts(0, drain, 0)
}

func validateTimeouts(deploy, drain, pause Duration) error {
	for _, t := range []struct {
		flag  string
		value Duration
	}{{"--deploy-timeout", deploy}, {"--drain-timeout", drain}, {"--max-pause", pause}} {
		if t.value < 0 {
			return invalid(t.flag, "%s=%s is negative: set it to something like 30s", t.flag, t.value)
		}
	}
	return nil
}

func invalid(flag, format string, args ...any) error {
	return &Error{Code: CodeInvalid, Message: fmt.Sprintf(format, args...), Flag: flag}
}
