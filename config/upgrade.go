package config

import (
	"slices"
	"strings"
)

// protocols reads what clients may switch to besides WebSocket, which may be named
// too.
func (d *decoder) protocols(v value) []string {
	var all []string
	for _, item := range d.items(v) {
		written, ok := d.text(item)
		if !ok {
			continue
		}
		same := func(other string) bool { return strings.EqualFold(other, written) }
		switch problem := protocolProblem(written); {
		case problem != "":
			d.failValue(item, "%q %s", written, problem)
		case slices.ContainsFunc(all, same):
			d.failValue(item, "%q is named twice: remove one of the two", written)
		case !same("websocket"):
			all = append(all, written)
		}
	}
	return all
}

// protocolProblem says what is wrong with the name of a protocol (RFC 9110 §7.8), in
// the words of a config error.
func protocolProblem(written string) string {
	name, version, versioned := strings.Cut(written, "/")
	if !isToken(name) || versioned && !isToken(version) {
		return "is not the name of a protocol: write it like tcp or SPDY/3.1"
	}
	name = strings.ToLower(name)
	for _, http := range []string{"h2", "h3", "http"} {
		if strings.HasPrefix(name, http) {
			return "is HTTP in another form, whose requests would pass unseen: remove it"
		}
	}
	if name == "tls" || name == "ssl" {
		return "would hide what follows from the proxy: remove it"
	}
	return ""
}

// isToken is RFC 9110 §5.6.2.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
