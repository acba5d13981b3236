package proxy

import (
	"bytes"
	"net"
	"strings"
)

// appendScoped writes the cookies that the target sets with the path prefix before
// their paths, and takes the target's own lines out: it does not know of the prefix,
// and two services of one host would overwrite each other's cookies. A cookie of
// another host stays as it is, and so does one whose name forbids another path than
// the root (RFC 6265bis §4.1.3.2).
func (x *exchange) appendScoped(b []byte) []byte {
	if !x.svc.ScopeCookiePaths || len(x.prefix) <= 1 {
		return b
	}
	res := &x.c.res
	host := string(x.c.req.Host)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for i := range res.Fields() {
		f := &res.Fields()[i]
		if f.Cut || !called(res.Name(f), "Set-Cookie") {
			continue
		}
		pair, attributes, path, mine := parseSetCookie(res.Value(f), host)
		if !mine {
			continue
		}
		f.Cut = true
		b = append(b, "Set-Cookie: "...)
		b = append(b, pair...)
		b = append(b, "; Path="...)
		b = append(b, strings.TrimSuffix(x.prefix, "/")...)
		if path = bytes.Trim(path, "/"); len(path) > 0 {
			b = append(append(b, '/'), path...)
		}
		for _, attribute := range attributes {
			b = append(append(b, "; "...), attribute...)
		}
		b = append(b, lineEnd...)
	}
	return b
}

// parseSetCookie splits a cookie into its name and value, its attributes without
// the path, and the path. mine is false for one that is not to be scoped.
func parseSetCookie(value []byte, host string) (pair []byte, attributes [][]byte, path []byte, mine bool) {
	pair, rest, _ := bytes.Cut(value, []byte{';'})
	if pair = bytes.TrimSpace(pair); len(pair) == 0 || bytes.HasPrefix(pair, []byte("__Host-")) {
		return nil, nil, nil, false
	}
	for len(rest) > 0 {
		var attribute []byte
		attribute, rest, _ = bytes.Cut(rest, []byte{';'})
		attribute = bytes.TrimSpace(attribute)
		key, text, _ := bytes.Cut(attribute, []byte{'='})
		text = bytes.TrimSpace(text)
		switch key = bytes.TrimSpace(key); {
		case len(attribute) == 0:
			continue
		case called(key, "Path"):
			path = text
			continue
		case called(key, "Domain") && len(text) > 0 && !called(bytes.TrimPrefix(text, []byte{'.'}), host):
			return nil, nil, nil, false
		}
		attributes = append(attributes, attribute)
	}
	return pair, attributes, path, true
}
