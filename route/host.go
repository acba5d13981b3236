package route

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
)

// maxHost is the longest name that DNS allows, in bytes, and maxLabel its longest
// part between two dots.
const (
	maxHost  = 253
	maxLabel = 63
)

// ParseHost checks the host of a route and returns it in lower case, without a
// trailing dot: a name, a name behind the wildcard "*.", or an IP address (IPv6
// with or without brackets, returned without). Its errors say what to write.
func ParseHost(s string) (string, error) {
	if s == "" || s == "*" {
		return "", fmt.Errorf("host %q names no host: leave the host out to match every host", s)
	}
	if mayBeIP(s) {
		if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
			if ip.Zone() != "" {
				return "", fmt.Errorf("host %q has a zone: write the address without it", s)
			}
			return ip.String(), nil
		}
	}
	host := strings.ToLower(strings.TrimSuffix(s, "."))
	if strings.Contains(host, "://") || strings.Contains(host, "/") {
		return "", fmt.Errorf("host %q is more than a host: write the name only, and the path as a path prefix", s)
	}
	if strings.Contains(host, ":") {
		return "", fmt.Errorf("host %q has a port: routes match every port, write the name only", s)
	}
	if len(host) > maxHost {
		return "", fmt.Errorf("host %q has %d bytes: at most %d are allowed", s, len(host), maxHost)
	}
	name := strings.TrimPrefix(host, "*.")
	if strings.Contains(name, "*") {
		return "", fmt.Errorf("host %q: a wildcard can only be the whole first label, as in *.example.com", s)
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if err := checkLabel(label); err != nil {
			return "", fmt.Errorf("host %q: %w", s, err)
		}
		last = label
	}
	if strings.Trim(last, "0123456789") == "" {
		return "", fmt.Errorf("host %q ends in a number but is not an IP address", s)
	}
	return host, nil
}

// mayBeIP saves names the cost of a failing netip.ParseAddr: a table checks all
// of its hosts each time it is made.
func mayBeIP(s string) bool {
	last := s[len(s)-1]
	return '0' <= last && last <= '9' || strings.Contains(s, ":")
}

// checkLabel allows what DNS allows, and the underscore that container names use.
func checkLabel(label string) error {
	if label == "" {
		return fmt.Errorf("a label is empty: remove the extra dot")
	}
	if len(label) > maxLabel {
		return fmt.Errorf("label %q has %d bytes: at most %d are allowed", label, len(label), maxLabel)
	}
	for i := range len(label) {
		switch c := label[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case c >= 0x80:
			return fmt.Errorf("label %q is not ASCII: write it in punycode, as xn--…", label)
		default:
			return fmt.Errorf("label %q contains %q: use letters, digits, - and _", label, c)
		}
	}
	if label[0] == '-' || label[len(label)-1] == '-' {
		return fmt.Errorf("label %q begins or ends with a hyphen", label)
	}
	return nil
}

func isWildcard(host string) bool { return strings.HasPrefix(host, "*.") }

// trimHost cuts the port, the brackets of an IPv6 address and one trailing dot.
func trimHost(host []byte) []byte {
	if len(host) > 0 && host[0] == '[' {
		if end := bytes.IndexByte(host, ']'); end > 0 {
			return host[1:end]
		}
		return host
	}
	// A second colon makes it an address without brackets, which has no port.
	if colon := bytes.IndexByte(host, ':'); colon >= 0 && bytes.IndexByte(host[colon+1:], ':') < 0 {
		host = host[:colon]
	}
	if n := len(host); n > 0 && host[n-1] == '.' {
		host = host[:n-1]
	}
	return host
}

// parentOf is the name without its first label, nil when there is no other.
func parentOf(name []byte) []byte {
	if dot := bytes.IndexByte(name, '.'); dot > 0 {
		return name[dot+1:]
	}
	return nil
}

func hasUpper(name []byte) bool {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			return true
		}
	}
	return false
}

func appendLower(dst, name []byte) []byte {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
