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
	Date                  // in an answer: when it was made; added where it lacks
	Underscored           // a name with an underscore that is none of the above to any target
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
// "Content.Length" is "Content-Length". Every odd name that would be read as a
// field of a kind is Ambiguous, and so is every name that looks like a field that
// frames the body.
func classify(name []byte, odd bool) Kind {
	if !odd {
		if kind := kindOf(name); kind != Other || !looksLikeFraming(name) {
			return kind
		}
		return Ambiguous
	}
	var folded [maxKnownName]byte
	kind := Other
	for i, c := range name {
		if c == '_' {
			kind = Underscored
		}
		if i < len(folded) {
			if class[c]&classOdd != 0 {
				c = '-'
			}
			folded[i] = c
		}
	}
	if kindOf(folded[:min(len(name), len(folded))]) != Other || looksLikeFraming(name) {
		return Ambiguous
	}
	return kind
}

// maxKnownName is more than the longest name that has a kind of its own; of the
// X-Forwarded- family the beginning says enough.
const maxKnownName = 64

// cuttable reports whether a Connection option may name a field of this kind:
// not what frames or routes the message, and not what the proxy itself sets.
func (k Kind) cuttable() bool {
	switch k {
	case Other, UserAgent, ContentType, Ambiguous, Underscored:
		return true
	}
	return false
}

// named is a field name that has a kind.
type named struct {
	name string // lower case
	kind Kind
}

// knownNames holds the names by their length, so that a name costs one or two
// comparisons.
var knownNames = byLength(
	named{"te", TE},
	named{"host", Host},
	named{"date", Date},
	named{"proxy", HopByHop}, // httpoxy: HTTP_PROXY to CGI-like targets
	named{"expect", Expect},
	named{"upgrade", Upgrade},
	named{"trailer", Trailer},
	named{"forwarded", ForwardedOther},
	named{"x-real-ip", ForwardedOther},
	named{"user-agent", UserAgent},
	named{"connection", Connection},
	named{"keep-alive", HopByHop},
	named{"content-type", ContentType},
	named{"x-request-id", RequestID},
	named{"content-length", ContentLength},
	named{"http2-settings", HopByHop},
	named{"x-request-start", RequestStart},
	named{"proxy-connection", HopByHop},
	named{"transfer-encoding", TransferEncoding},
	named{"sec-websocket-key", SecWebSocketKey},
	named{"proxy-authenticate", HopByHop},
	named{"proxy-authorization", HopByHop},
)

func byLength(list ...named) (t [20][]named) {
	for _, n := range list {
		t[len(n.name)] = append(t[len(n.name)], n)
	}
	return t
}

const forwardedPrefix = "x-forwarded-"

// kindOf classifies a field name.
func kindOf(name []byte) Kind {
	if len(name) < len(knownNames) {
		for i := range knownNames[len(name)] {
			if n := &knownNames[len(name)][i]; equalFold(name, n.name) {
				return n.kind
			}
		}
	}
	if len(name) > len(forwardedPrefix) && equalFold(name[:len(forwardedPrefix)], forwardedPrefix) {
		return forwardedKind(name[len(forwardedPrefix):])
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
