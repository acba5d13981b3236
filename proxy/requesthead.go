package proxy

import (
	"strconv"

	"upfront/proxy/http1"
)

// The lines that are copied to the target as they came. What a client may say
// about itself is copied only from trusted proxies.
var (
	keepFromAnyone  = kinds(http1.Other, http1.Date, http1.Host, http1.ContentLength, http1.Trailer, http1.UserAgent, http1.ContentType, http1.SecWebSocketKey)
	keepFromTrusted = kinds(http1.Other, http1.Date, http1.Host, http1.ContentLength, http1.Trailer, http1.UserAgent, http1.ContentType, http1.SecWebSocketKey,
		http1.ForwardedProto, http1.ForwardedHost, http1.ForwardedPort, http1.ForwardedOther, http1.RequestStart)

	// Where Settings.KeepUnderscores says so.
	keepMoreFromAnyone  = with(keepFromAnyone, http1.Underscored)
	keepMoreFromTrusted = with(keepFromTrusted, http1.Underscored)
)

func kinds(list ...http1.Kind) *[32]bool {
	var keep [32]bool
	for _, k := range list {
		keep[k] = true
	}
	return &keep
}

func with(keep *[32]bool, kind http1.Kind) *[32]bool {
	more := *keep
	more[kind] = true
	return &more
}

// kept is the lines that this client may send.
func (x *exchange) kept() *[32]bool {
	switch {
	case x.settings.KeepUnderscores && x.c.trusted:
		return keepMoreFromTrusted
	case x.settings.KeepUnderscores:
		return keepMoreFromAnyone
	case x.c.trusted:
		return keepFromTrusted
	}
	return keepFromAnyone
}

// appendRequestHead writes the head that the target gets: the client's lines in
// their order and case, without what is hop-by-hop (RFC 9110 §7.6.1), and ours.
func (x *exchange) appendRequestHead(b []byte) []byte {
	c, req := x.c, &x.c.req
	b = append(b, req.Method...)
	b = append(b, ' ')
	b = x.appendTarget(b)
	b = append(b, " HTTP/1.1\r\n"...)
	b = x.appendHost(b)
	if x.settings.KamalHeaders {
		b = x.appendKamalTarget(b)
	}
	b = req.AppendKept(b, x.kept())
	b = x.appendForwarded(b)
	b = append(b, "X-Request-Id: "...)
	b = append(b, x.id.bytes()...)
	b = append(b, "\r\n"...)
	if !c.trusted || !has(req.Fields(), http1.RequestStart) {
		b = x.appendRequestStart(b)
	}
	if req.Chunked() {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if req.Continue {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	if protocol := x.protocol(); protocol != "" {
		b = appendUpgrade(b, protocol)
	} else if req.Trailers {
		b = append(b, "Connection: TE\r\nTE: trailers\r\n"...)
	}
	return append(b, "\r\n"...)
}

// protocol is what the client asks to switch to, if the target may hear of it; else
// "". A request for another upgrade goes on as one without.
func (x *exchange) protocol() string {
	req := &x.c.req
	if x.conn.transport.dialer.Multiplexes() {
		return "" // there is no Upgrade in HTTP/2 (RFC 9113 §8.6)
	}
	if req.WebSocket {
		return webSocket
	}
	if req.Upgrade == nil {
		return ""
	}
	return first(x.settings.Upgrades, req.AsksFor)
}

// offered is what a 426 wants the client to switch to, if it may; else "".
func (x *exchange) offered() string {
	res := &x.c.res
	if res.Status != 426 {
		return ""
	}
	if res.Offers(webSocket) {
		return webSocket
	}
	return first(x.settings.Upgrades, res.Offers)
}

func first(protocols []string, fits func(string) bool) string {
	for _, protocol := range protocols {
		if fits(protocol) {
			return protocol
		}
	}
	return ""
}

const webSocket = "websocket"

func appendUpgrade(b []byte, protocol string) []byte {
	b = append(b, "Connection: Upgrade\r\nUpgrade: "...)
	b = append(b, protocol...)
	return append(b, "\r\n"...)
}

// appendTarget writes the request target byte for byte, without the prefix that
// the service does not want to see.
func (x *exchange) appendTarget(b []byte) []byte {
	target := x.c.req.Target
	if !x.svc.StripPrefix || len(x.prefix) <= 1 || target[0] == '*' {
		return append(b, target...)
	}
	rest := target[len(x.prefix):]
	if len(rest) == 0 || rest[0] != '/' {
		b = append(b, '/')
	}
	return append(b, rest...)
}

// appendHost writes a Host line where the client's own cannot be copied: the
// authority of an absolute target replaces it (RFC 9112 §3.2.2), and HTTP/1.0
// may have none.
func (x *exchange) appendHost(b []byte) []byte {
	req := &x.c.req
	if !req.Absolute && len(req.Host) > 0 {
		return b
	}
	for i := range req.Fields() {
		if f := &req.Fields()[i]; f.Kind == http1.Host {
			f.Cut = true
		}
	}
	b = append(b, "Host: "...)
	if len(req.Host) > 0 {
		b = append(b, req.Host...)
	} else {
		b = append(b, x.conn.transport.dialer.Host()...)
	}
	return append(b, "\r\n"...)
}

// appendRequestStart says when the request began.
func (x *exchange) appendRequestStart(b []byte) []byte {
	b = append(b, "X-Request-Start: "...)
	if said, ok := x.kamalValue(http1.RequestStart); ok {
		b = append(b, said...)
	} else {
		b = strconv.AppendInt(append(b, "t="...), x.start.UnixMilli(), 10)
	}
	return append(b, lineEnd...)
}

// kamalValue is what the client says in a line that kamal-proxy believes of anyone,
// where we are to do as it does.
func (x *exchange) kamalValue(kind http1.Kind) (value []byte, ok bool) {
	if !x.settings.KamalHeaders {
		return nil, false
	}
	for i := range x.c.req.Fields() {
		if f := &x.c.req.Fields()[i]; f.Kind == kind {
			return x.c.req.Value(f), true
		}
	}
	return nil, false
}

const kamalTarget = "X-Kamal-Target"

// appendKamalTarget names the target to itself as kamal-proxy does, behind what
// trusted proxies have named.
func (x *exchange) appendKamalTarget(b []byte) []byte {
	req := &x.c.req
	b = append(b, kamalTarget+": "...)
	for i := range req.Fields() {
		f := &req.Fields()[i]
		if !called(req.Name(f), kamalTarget) {
			continue
		}
		if f.Cut = true; x.c.trusted && len(req.Value(f)) > 0 {
			b = append(append(b, req.Value(f)...), ", "...)
		}
	}
	b = append(b, x.target.Address()...)
	return append(b, lineEnd...)
}

func has(fields []http1.Field, kind http1.Kind) bool {
	for i := range fields {
		if fields[i].Kind == kind {
			return true
		}
	}
	return false
}
