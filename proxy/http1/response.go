package http1

// Response is a response head, scanned from a buffer that it points into. The
// zero value is ready after Reset, and is reused like a Request.
type Response struct {
	head

	// Status is the status code, 100 to 599.
	Status int
	// Reason is the reason phrase as it was sent; it may be empty.
	Reason []byte
	// Minor is the minor version, 0 or 1.
	Minor int
	// Dated says that there is a Date field.
	Dated bool

	started  bool
	reason   [2]int
	upgrades upgrades
	framed   bool // a body was announced where none may be
}

// Reset makes r ready for the next response.
func (r *Response) Reset() {
	fields := r.fields
	*r = Response{}
	r.fields = fields
	r.head.reset()
}

// Scan reads b, which holds all that has arrived of the response so far, from
// where the last call stopped. It reports whether the head is complete. After
// an error the connection cannot be used any more.
func (r *Response) Scan(b []byte, lim Limits) (bool, *Error) {
	if !r.started {
		n := r.lineEnd(b)
		if n < 0 || n+1 > lim.Bytes {
			if err := judgeStatusStart(b[:min(len(b), max(lim.Bytes, 0))]); err != nil {
				return false, err
			}
			if len(b) >= lim.Bytes {
				return false, ErrHeadTooLarge
			}
			return false, nil
		}
		if n == 0 || b[n-1] != '\r' {
			return false, ErrStatusLine
		}
		if err := r.parseLine(b[:n-1]); err != nil {
			return false, err
		}
		r.started = true
		r.next = n + 1
	}
	done, err := r.scanFields(b, lim)
	if err != nil || !done {
		return false, err
	}
	r.Reason = b[r.reason[0]:r.reason[1]]
	return true, r.judge()
}

const statusStart = "HTTP/1."

// judgeStatusStart refuses at once what can be no status line.
func judgeStatusStart(b []byte) *Error {
	for i := 0; i < len(b) && i < len(statusStart); i++ {
		if b[i] != statusStart[i] {
			return ErrStatusLine
		}
	}
	return nil
}

// parseLine is RFC 9112 §4: HTTP-version SP status-code SP [ reason-phrase ]. The
// second space may be missing when there is no reason: many servers leave it out,
// and nothing can hide there.
func (r *Response) parseLine(line []byte) *Error {
	const fixed = len("HTTP/1.1 200")
	if len(line) < fixed || string(line[:7]) != statusStart || line[8] != ' ' {
		return ErrStatusLine
	}
	if line[7] < '0' || line[7] > '9' {
		return ErrStatusLine
	}
	if line[7] != '0' { // RFC 9110 §2.5: a higher minor version is read as 1.1.
		r.Minor = 1
	}
	status, ok := parseDigits(line[9:12])
	if !ok || status < 100 || status > 599 {
		return ErrStatusLine
	}
	r.Status = int(status)
	if len(line) > fixed {
		if line[fixed] != ' ' || !validValue(line[fixed+1:]) {
			return ErrStatusLine
		}
		r.reason = [2]int{fixed + 1, len(line)}
	}
	return nil
}

func (r *Response) judge() *Error {
	for i := range r.fields {
		switch f := &r.fields[i]; f.Kind {
		case Upgrade:
			r.upgrades.note(r.Value(f))
		case Date:
			r.Dated = true
		}
	}
	if err := r.judgeFraming(r.Minor); err != nil {
		return err
	}
	r.cutNamed()
	if r.Status < 200 || r.Status == 204 {
		r.cutFraming()
	}
	return nil
}

// cutFraming takes away the framing of a response that cannot have a body (RFC
// 9110 §8.6, RFC 9112 §6.1): a client that believed it would take the next
// response for one.
func (r *Response) cutFraming() {
	for i := range r.fields {
		if f := &r.fields[i]; f.Kind == ContentLength || f.Kind == TransferEncoding {
			f.Cut = true
		}
	}
	r.framed = r.chunked || r.contentLength > 0
	r.chunked, r.contentLength = false, -1
}

// MayFollow reports whether a target that errs might send a body although this
// response has none: one is announced, or to a HEAD not excluded. The connection is not to be kept then.
func (r *Response) MayFollow(toHead bool) bool {
	switch {
	case toHead && r.Status != 204 && r.Status != 304: // without a length it could be any
		return r.contentLength != 0
	case r.Status == 304: // a length alone is what the body would have had
		return r.chunked
	}
	return r.framed
}

// Interim reports whether this is a 1xx response, after which another follows.
// 101 is not: it ends HTTP on the connection.
func (r *Response) Interim() bool { return r.Status < 200 && r.Status != 101 }

// Offers reports whether the response names this protocol, and no other, to switch
// to.
func (r *Response) Offers(protocol string) bool { return sameProtocol(r.upgrades.one(), protocol) }

// SwitchesTo reports whether the response switches to this protocol and no other
// (RFC 9110 §7.8). There is no such response in HTTP/1.0.
func (r *Response) SwitchesTo(protocol string) bool {
	return r.Status == 101 && r.Minor > 0 && r.connection&optUpgrade != 0 && r.Offers(protocol)
}

// KeepAlive reports whether the target lets the connection persist (RFC 9112
// §9.3).
func (r *Response) KeepAlive() bool {
	if r.connection&optClose != 0 {
		return false
	}
	return r.Minor > 0 || r.connection&optKeepAlive != 0
}

// Goodbye reports whether r says that its sender waited for a request in vain and
// closes the connection (RFC 9110 §15.5.9).
func (r *Response) Goodbye() bool {
	return r.Status == 408 && (!r.KeepAlive() || r.Body(false) == UntilClose)
}

// Body is how the body of a message is delimited (RFC 9112 §6.3).
type Body uint8

// The ways.
const (
	NoBody     Body = iota
	Fixed           // Content-Length bytes
	Chunked         // chunks, then a trailer section
	UntilClose      // until the sender closes; responses only
)

// Body returns how the response's body is delimited, given whether the request
// was a HEAD.
func (r *Response) Body(toHead bool) Body {
	switch {
	case toHead || r.Status < 200 || r.Status == 204 || r.Status == 304 || r.contentLength == 0:
		return NoBody
	case r.chunked:
		return Chunked
	case r.contentLength > 0:
		return Fixed
	}
	return UntilClose
}
