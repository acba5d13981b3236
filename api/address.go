package api

import (
	"net/netip"
	"strconv"
	"strings"
)

// splitAddress keeps the brackets of an IPv6 address on host; port is empty
// when there is none.
func splitAddress(text string) (host, port string, ok bool) {
	if strings.HasPrefix(text, "[") {
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return "", "", false
		}
		host, rest := text[:end+1], text[end+1:]
		if rest == "" {
			return host, "", true
		}
		return host, rest[1:], rest[0] == ':' && len(rest) > 1
	}
	host, port, found := strings.Cut(text, ":")
	if strings.Contains(port, ":") {
		return "", "", false // an IPv6 address without brackets
	}
	return host, port, !found || port != ""
}

func isTargetHost(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && addr.Is6()
	}
	return isHostname(host)
}

// isHostname accepts what resolvers accept: letters, digits, dashes and
// underscores (container names have them) in labels between dots.
func isHostname(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			if !isAlnum(c) && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// validateHost judges a host that clients ask for, already in its normal form.
func validateHost(host string) error {
	if host == "" {
		return invalid("--host", "host is empty: name one, or leave --host away to answer for every host")
	}
	if strings.HasPrefix(host, "[") || strings.Count(host, ":") > 1 {
		addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil || !addr.Is6() || !strings.HasPrefix(host, "[") || !strings.HasSuffix(host, "]") {
			return invalid("--host", "host %q is not an address: write IPv6 as [::1], without a port", host)
		}
		return nil
	}
	if strings.Contains(host, ":") {
		return invalid("--host", "host %q has a port or a scheme: set --host to the name alone", host)
	}
	name := strings.TrimPrefix(host, "*.")
	if strings.Contains(name, "*") {
		return invalid("--host",
			"host %q is not a one-level wildcard: write it as *.example.com, or leave --host away for every host", host)
	}
	for _, c := range []byte(name) {
		if c >= 0x80 {
			return invalid("--host", "host %q is not ASCII: write it in its punycode form (xn--...)", host)
		}
	}
	if !isHostname(name) {
		return invalid("--host", "host %q is not a hostname: set --host to something like app.example.com", host)
	}
	return nil
}

// validatePrefix judges a path prefix in its normal form. What a client could
// write in more than one way cannot be a route.
func validatePrefix(prefix string) error {
	bad := func(why string) error {
		return invalid("--path-prefix", "path prefix %q %s: set --path-prefix to something like /api", prefix, why)
	}
	if !isVisible(prefix) || strings.ContainsAny(prefix, "?#\\") {
		return bad("has a character that no path has")
	}
	lower := strings.ToLower(prefix)
	for _, encoded := range []string{"%2f", "%2e", "%5c"} {
		if strings.Contains(lower, encoded) {
			return bad("has an encoded slash or dot")
		}
	}
	if prefix == "/" {
		return nil
	}
	for segment := range strings.SplitSeq(prefix[1:], "/") {
		switch segment {
		case "":
			return bad("has an empty segment")
		case ".", "..":
			return bad("has a dot segment")
		}
	}
	return nil
}

// ParseStatus reads the statuses of a health check that count as good: one code
// such as "200", or a range such as "200-399". The error is an *Error.
func ParseStatus(text string) (low, high int, err error) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	low, lowOK := parseCode(first)
	high, highOK := parseCode(last)
	if !lowOK || !highOK || low > high {
		return 0, 0, invalid("--health-check-status",
			"health check status %q is not a code or a range: set --health-check-status to something like 200 or 200-399",
			text)
	}
	return low, high, nil
}

func parseCode(text string) (int, bool) {
	code, err := strconv.Atoi(text)
	return code, err == nil && len(text) == 3 && isDigits(text) && code >= 100 && code <= 599
}

func isDigits(text string) bool {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return text != ""
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// isVisible reports whether text is ASCII without spaces and control characters.
func isVisible(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// isToken reports whether text is a header name (RFC 9110 §5.6.2).
func isToken(text string) bool {
	for _, c := range []byte(text) {
		if !isAlnum(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return text != ""
}
