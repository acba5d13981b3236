package http1

// Kind is what a field means to a proxy. The zero value is Other: a field that
// is passed on.
type Kind uint8

// The kinds.
const (
	Other            Kind = iota
	Host                  // exactly one, rewritten for the absolute form
	ContentLength         // frames the body
	TransferEncoding      // frames the body
	Connection            // names hop-by-hop fields
	HopByHop              // never passed on: Keep-Alive, Proxy-Connection and their like
	TE                    // "trailers" is passed on
	Trailer               // announces trailer fields
	Upgrade               // passed on for WebSocket only
	Expect                // 100-continue
	ForwardedFor          // X-Forwarded-For
	ForwardedProto        // X-Forwarded-Proto
	ForwardedHost         // X-Forwarded-Host
	ForwardedPort         // X-Forwarded-Port
	ForwardedOther        // Forwarded, X-Forwarded-Server and other names of that family, X-Real-IP
	RequestID             // X-Request-Id
	RequestStart          // X-Request-Start
	UserAgent             // for the access log
	ContentType           // for the access log
	Ambiguous             // a name that is another one to CGI-like targets, see classify
	SecWebSocketKey       // part of the WebSocket handshake
)

// Field is one field line of a scanned head, as offsets into its buffer.
type Field struct {
	Kind Kind
	// Cut says that the line is not to be passed on. The scanner sets it for
	// fields that the Connection field names; callers may set it.
	Cut bool

	start, nameEnd, value, valueEnd, end uint32
}

// classify is kindOf for a name of which odd says that it has characters other
// than letters, digits and hyphens. CGI-like targets know a field by its letters
// alone: "X_Forwarded_For" and "X-Forwarded-For" are one to Rack, and to some
// "Content.Length" is "Content-Length". Every name with an underscore is
// Ambiguous, and every other odd one that would be read as a field of a kind.
func classify(name []byte, odd bool) Kind {
	if !odd {
		return kindOf(name)
	}
	var folded [maxKnownName]byte
	for i, c := range name {
		if c == '_' {
			return Ambiguous
		}
		if i < len(folded) {
			if class[c]&classOdd != 0 {
				c = '-'
			}
			folded[i] = c
		}
	}
	if len(name) <= len(folded) && kindOf(folded[:len(name)]) != Other {
		return Ambiguous
	}
	return Other
}

// maxKnownName is more than the longest name that has a kind; those of the
// X-Forwarded- family that nobody knows are let go at that length.
const maxKnownName = 64

// cuttable reports whether a Connection option may name a field of this kind:
// not what frames or routes the message, and not what the proxy itself sets.
func (k Kind) cuttable() bool {
	switch k {
	case Other, UserAgent, ContentType, Ambiguous:
		return true
	}
	return false
}

// kindOf classifies a field name; the switch on the length makes a name cost
// one or two comparisons.
//
//nolint:funlen,gocyclo // A table: one line a name.
func kindOf(name []byte) Kind {
	switch len(name) {
	case 2:
		if equalFold(name, "te") {
			return TE
		}
	case 4:
		if equalFold(name, "host") {
			return Host
		}
	case 5:
		if equalFold(name, "proxy") { // httpoxy: HTTP_PROXY to CGI-like targets
			return HopByHop
		}
	case 6:
		if equalFold(name, "expect") {
			return Expect
		}
	case 7:
		switch {
		case equalFold(name, "upgrade"):
			return Upgrade
		case equalFold(name, "trailer"):
			return Trailer
		}
	case 9:
		if equalFold(name, "forwarded") || equalFold(name, "x-real-ip") {
			return ForwardedOther
		}
	case 10:
		switch {
		case equalFold(name, "connection"):
			return Connection
		case equalFold(name, "keep-alive"):
			return HopByHop
		case equalFold(name, "user-agent"):
			return UserAgent
		}
	case 12:
		switch {
		case equalFold(name, "content-type"):
			return ContentType
		case equalFold(name, "x-request-id"):
			return RequestID
		}
	case 14:
		switch {
		case equalFold(name, "content-length"):
			return ContentLength
		case equalFold(name, "http2-settings"):
			return HopByHop
		}
	case 15:
		if equalFold(name, "x-request-start") {
			return RequestStart
		}
	case 16:
		if equalFold(name, "proxy-connection") {
			return HopByHop
		}
	case 17:
		switch {
		case equalFold(name, "transfer-encoding"):
			return TransferEncoding
		case equalFold(name, "sec-websocket-key"):
			return SecWebSocketKey
		}
	case 18:
		if equalFold(name, "proxy-authenticate") {
			return HopByHop
		}
	case 19:
		if equalFold(name, "proxy-authorization") {
			return HopByHop
		}
	}
	if len(name) > len("x-forwarded-") && equalFold(name[:len("x-forwarded-")], "x-forwarded-") {
		return forwardedKind(name[len("x-forwarded-"):])
	}
	return Other
}

func forwardedKind(rest []byte) Kind {
	switch {
	case equalFold(rest, "for"):
		return ForwardedFor
	case equalFold(rest, "proto"):
		return ForwardedProto
	case equalFold(rest, "host"):
		return ForwardedHost
	case equalFold(rest, "port"):
		return ForwardedPort
	}
	return ForwardedOther
}
