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
	if r.suspect && (hasNUL(r.Path) || bytes.IndexByte(r.Path, '\\') >= 0) {
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
// would end it. (A backslash in it is a slash to some and not to others.)
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
