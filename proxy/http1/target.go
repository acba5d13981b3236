package http1

import "bytes"

// judgeTarget is RFC 9112 §3.2: it brings the request-target to the origin form
// or the asterisk form, and finds the path in it.
func (r *Request) judgeTarget() *Error {
	switch string(r.Method) {
	case "CONNECT":
		return ErrConnect
	case "TRACE":
		return ErrTrace
	}
	t := r.Target
	switch {
	case t[0] == '/':
	case len(t) == 1 && t[0] == '*':
		if string(r.Method) != "OPTIONS" {
			return ErrTarget
		}
		r.Path = t
		return nil
	default:
		if err := r.cutAuthority(); err != nil {
			return err
		}
	}
	r.Path = r.Target
	if q := bytes.IndexByte(r.Target, '?'); q >= 0 {
		r.Path = r.Target[:q]
	}
	if hasNUL(r.Path) {
		return ErrTarget
	}
	return nil
}

var (
	slash    = []byte("/")
	asterisk = []byte("*")
)

// cutAuthority turns the absolute form (RFC 9112 §3.2.2) into the origin form.
func (r *Request) cutAuthority() *Error {
	t := r.Target
	scheme := bytes.IndexByte(t, ':')
	if scheme < 0 || !equalFold(t[:scheme], "http") && !equalFold(t[:scheme], "https") ||
		!bytes.HasPrefix(t[scheme:], []byte("://")) {
		return ErrTarget
	}
	if r.hosts != 1 && r.Minor > 0 {
		return ErrHost
	}
	t = t[scheme+len("://"):]
	end := bytes.IndexAny(t, "/?")
	if end < 0 {
		end = len(t)
	}
	r.Host, r.Absolute = t[:end], true
	switch t = t[end:]; {
	case len(t) == 0 && string(r.Method) == "OPTIONS": // RFC 9112 §3.2.4
		t = asterisk
	case len(t) == 0:
		t = slash
	case t[0] == '?':
		// Only a copy can put the slash before the query; nobody sends this.
		t = append([]byte{'/'}, t...)
	}
	r.Target = t
	return nil
}

// hasNUL reports whether the path has an encoded NUL, at which many targets
// would end it.
func hasNUL(path []byte) bool {
	for {
		i := bytes.IndexByte(path, '%')
		if i < 0 || len(path)-i < 3 {
			return false
		}
		if path[i+1] == '0' && path[i+2] == '0' {
			return true
		}
		path = path[i+1:]
	}
}

// validHost is uri-host [ ":" port ] of RFC 9110 §7.2, with a host that is not
// empty (RFC 9110 §4.2.1).
func validHost(h []byte) bool {
	end := 0
	if len(h) > 0 && h[0] == '[' {
		end = bytes.IndexByte(h, ']') + 1
		if end < len("[::]") {
			return false
		}
		for _, c := range h[1 : end-1] {
			if class[c]&classHex == 0 && c != ':' && c != '.' {
				return false
			}
		}
	} else {
		for end < len(h) && class[h[end]]&classHost != 0 {
			end++
		}
	}
	if end == 0 {
		return false
	}
	if end == len(h) {
		return true
	}
	if h[end] != ':' {
		return false
	}
	port := h[end+1:]
	if len(port) == 0 {
		return true
	}
	n, ok := parseDigits(port)
	return ok && n <= 65535
}
