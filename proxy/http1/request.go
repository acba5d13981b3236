package http1

import "bytes"

// Request is a request head, scanned from a buffer that it points into. The
// zero value is ready after Reset. It is reused from request to request and
// then allocates nothing.
type Request struct {
	head

	// Method as it was sent.
	Method []byte
	// Target is the request-target in origin form, byte for byte as sent: the
	// absolute form has lost its scheme and authority. It is "*" for the
	// asterisk form.
	Target []byte
	// Path is the part of Target before the query; "*" for the asterisk form.
	Path []byte
	// Host is the authority of the absolute form, else the value of the Host
	// field; empty only in HTTP/1.0.
	Host []byte
	// Minor is the minor version, 0 or 1.
	Minor int
	// Absolute says that Host replaces the Host field (RFC 9112 §3.2.2).
	Absolute bool
	// Continue says that the client waits for a 100 before it sends the body.
	Continue bool
	// Upgrade is the one protocol that the client asks to switch to, as it was
	// sent. Nil when it asks for none or several, and where a switch makes no sense:
	// in HTTP/1.0, for HEAD, and for a WebSocket by any way but its own.
	Upgrade []byte
	// WebSocket says that Upgrade is the WebSocket protocol.
	WebSocket bool
	// Trailers says that the client takes trailer fields.
	Trailers bool

	skipped  int // empty lines before the request line
	started  bool
	hosts    int
	expects  bool // a 100
	unmet    bool // it expects something else
	suspect  bool // the target has a byte of classSuspect
	upgrades upgrades
}

// Reset makes r ready for the next request.
func (r *Request) Reset() {
	fields := r.fields
	*r = Request{}
	r.fields = fields
	r.head.reset()
}

// maxEmptyLines before a request line are ignored (RFC 9112 §2.2): some clients
// send one after a POST body.
const maxEmptyLines = 2

// Scan reads b, which holds all that has arrived of the request so far, from
// where the last call stopped. It reports whether the head is complete; Len is
// then its length, and what follows in b is the body. After an error r must be
// Reset, and the connection cannot be used any more.
func (r *Request) Scan(b []byte, lim Limits) (bool, *Error) {
	for !r.started {
		done, err := r.scanLine(b, lim)
		if err != nil || !done {
			return false, err
		}
	}
	done, err := r.scanFields(b, lim)
	if err != nil || !done {
		return false, err
	}
	return true, r.judge()
}

// scanLine scans the request line, or skips an empty line before it.
func (r *Request) scanLine(b []byte, lim Limits) (bool, *Error) {
	n := r.lineEnd(b)
	line := b[r.next:]
	if n < 0 || r.next+n+1 > lim.Bytes {
		line = line[:min(len(line), max(lim.Bytes-r.next, 0))]
		if err := judgeStart(line); err != nil {
			return false, err
		}
		if len(b) >= lim.Bytes {
			return false, judgeLong(line)
		}
		return false, nil
	}
	if n == 0 || line[n-1] != '\r' {
		if err := judgeStart(line[:n]); err != nil {
			return false, err
		}
		return false, ErrBareLF
	}
	if n == 1 {
		r.next += 2
		if r.skipped++; r.skipped > maxEmptyLines {
			return false, ErrRequestLine
		}
		return true, nil
	}
	r.started = true
	r.next += n + 1
	return true, r.parseLine(line[:n-1])
}

// maxStart is how far judgeStart looks: a line that comes byte by byte is not
// read over and over.
const maxStart = 32

// judgeStart refuses, before the line is complete, what can be no request line:
// a TLS client on a plain port would otherwise wait for the head timeout. It
// goes before every other verdict on the line, so that the verdict is the same
// however the bytes arrive.
func judgeStart(line []byte) *Error {
	for _, c := range line[:min(len(line), maxStart)] {
		if c == ' ' || c == '\r' {
			return nil
		}
		if class[c]&classToken == 0 {
			return ErrRequestLine
		}
	}
	return nil
}

// judgeLong says which part of a request line takes more room than a head has.
func judgeLong(line []byte) *Error {
	switch bytes.Count(line, []byte(" ")) {
	case 0:
		return ErrMethodTooLong
	case 1:
		return ErrTargetTooLong
	}
	return ErrRequestLine // no version is that long
}

// parseLine is RFC 9112 §3: method SP request-target SP HTTP-version, with
// exactly one space each.
func (r *Request) parseLine(line []byte) *Error {
	sp := 0
	for sp < len(line) && class[line[sp]]&classToken != 0 {
		sp++
	}
	if sp == 0 || sp == len(line) || line[sp] != ' ' {
		return ErrRequestLine
	}
	r.Method = line[:sp]
	rest := line[sp+1:]
	end, seen := 0, uint8(0)
	for end < len(rest) && class[rest[end]]&classTarget != 0 {
		seen |= class[rest[end]]
		end++
	}
	if end < len(rest) && rest[end] != ' ' {
		return ErrTarget
	}
	if end == 0 || end == len(rest) {
		return ErrRequestLine
	}
	r.Target, r.suspect = rest[:end], seen&classSuspect != 0
	return r.parseVersion(rest[end+1:])
}

func (r *Request) parseVersion(v []byte) *Error {
	if len(v) != len("HTTP/1.1") || string(v[:5]) != "HTTP/" || v[6] != '.' ||
		v[5] < '0' || v[5] > '9' || v[7] < '0' || v[7] > '9' {
		return ErrRequestLine
	}
	if v[5] != '1' {
		return ErrVersion
	}
	if v[7] != '0' { // RFC 9110 §2.5: a higher minor version is read as 1.1.
		r.Minor = 1
	}
	return nil
}

// judge decides what the single lines could not, once all are there.
func (r *Request) judge() *Error {
	// Method and Target may point into a smaller buffer that has been replaced
	// since their line was scanned.
	r.rebase()
	for i := range r.fields {
		if err := r.noteField(&r.fields[i]); err != nil {
			return err
		}
	}
	if err := r.judgeTarget(); err != nil {
		return err
	}
	if r.hosts > 1 || r.hosts == 0 && r.Minor > 0 {
		return ErrHost
	}
	if r.Absolute && !validHost(r.Host) {
		return ErrHost
	}
	if err := r.judgeFraming(r.Minor); err != nil {
		return err
	}
	if r.unmet && r.Minor > 0 { // last: what is malformed is not read so far
		return ErrExpect
	}
	r.cutNamed()
	r.Continue = r.expects && r.HasBody() && r.Minor > 0
	r.Trailers = r.Trailers && r.Minor > 0
	r.judgeUpgrade()
	return nil
}

// judgeUpgrade is RFC 9110 §7.8, and RFC 6455 §4.1 for WebSocket. A second protocol
// (h2c) beside the first is not passed on in its company.
func (r *Request) judgeUpgrade() {
	protocol := r.upgrades.one()
	if r.connection&optUpgrade == 0 || r.Minor == 0 || r.IsHead() {
		return
	}
	if equalFold(protocol, "websocket") {
		if r.HasBody() || string(r.Method) != "GET" {
			return
		}
		r.WebSocket = true
	}
	r.Upgrade = protocol
}

// rebase points the request line's slices into the present buffer.
func (r *Request) rebase() {
	start := 0
	for r.buf[start] == '\r' || r.buf[start] == '\n' {
		start += 2
	}
	m, t := len(r.Method), len(r.Target)
	r.Method = r.buf[start : start+m : start+m]
	r.Target = r.buf[start+m+1 : start+m+1+t : start+m+1+t]
}

func (r *Request) noteField(f *Field) *Error {
	switch f.Kind {
	case Host:
		r.hosts++
		if r.Host = r.Value(f); !validHost(r.Host) {
			return ErrHost
		}
	case Expect:
		r.noteExpect(r.Value(f))
	case TE:
		r.Trailers = r.Trailers || listHas(r.Value(f), "trailers")
	case Upgrade:
		r.upgrades.note(r.Value(f))
	}
	return nil
}

// noteExpect reads an Expect value, a list (RFC 9110 §10.1.1).
func (r *Request) noteExpect(value []byte) {
	for rest := value; rest != nil; {
		var e []byte
		switch e, rest = nextElement(rest); {
		case equalFold(e, "100-continue"):
			r.expects = true
		case len(e) > 0:
			r.unmet = true
		}
	}
}

// AsksFor reports whether the client asks to switch to this protocol and no other.
func (r *Request) AsksFor(protocol string) bool { return sameProtocol(r.Upgrade, protocol) }

// sameProtocol compares names of protocols, whose case does not matter (RFC 9110
// §7.8).
func sameProtocol(asked []byte, protocol string) bool {
	if len(asked) == 0 || len(asked) != len(protocol) {
		return false
	}
	for i, c := range asked {
		if lower(c) != lower(protocol[i]) {
			return false
		}
	}
	return true
}

// upgrades remembers the Upgrade lines of a head.
type upgrades struct {
	lines int
	value []byte // of the first
}

func (u *upgrades) note(value []byte) {
	if u.lines++; u.lines == 1 {
		u.value = value
	}
}

// one returns the protocol when the lines name exactly one, else nil.
func (u *upgrades) one() []byte {
	if u.lines != 1 || len(u.value) == 0 || bytes.IndexByte(u.value, ',') >= 0 {
		return nil
	}
	return u.value
}

func listHas(list []byte, element string) bool {
	for rest := list; rest != nil; {
		var e []byte
		if e, rest = nextElement(rest); equalFold(e, element) {
			return true
		}
	}
	return false
}

// KeepAlive reports whether the client lets the connection persist (RFC 9112
// §9.3).
func (r *Request) KeepAlive() bool {
	if r.connection&optClose != 0 {
		return false
	}
	return r.Minor > 0 || r.connection&optKeepAlive != 0
}

// HasBody reports whether a body follows the head.
func (r *Request) HasBody() bool { return r.chunked || r.contentLength > 0 }

// IsHead reports whether the method is HEAD, whose answer has no body.
func (r *Request) IsHead() bool { return string(r.Method) == "HEAD" }

// Idempotent reports whether doing the request twice means the same as once
// (RFC 9110 §9.2.2).
func (r *Request) Idempotent() bool {
	switch string(r.Method) {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "QUERY":
		return true
	}
	return false
}
