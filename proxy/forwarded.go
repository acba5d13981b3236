package proxy

import (
	"bytes"
	"net/netip"

	"upfront/proxy/http1"
)

// identify decides who the client is: whether the peer may say so, and under
// which id the request runs.
func (x *exchange) identify() {
	c := x.c
	c.trusted = len(x.settings.TrustedProxies) > 0 && x.settings.trusts(c.addr.Addr())
	if c.trusted {
		for i := range c.req.Fields() {
			f := &c.req.Fields()[i]
			if f.Kind == http1.RequestID && x.id.accept(c.req.Value(f)) {
				return
			}
		}
	}
	x.id.make()
}

// appendForwarded says who the client is. From anyone but a trusted proxy all
// that it says of itself has been cut, so that a target can rely on the lines.
func (x *exchange) appendForwarded(b []byte) []byte {
	c, req := x.c, &x.c.req
	b = append(b, "X-Forwarded-For: "...)
	if c.trusted {
		for i := range req.Fields() {
			if f := &req.Fields()[i]; f.Kind == http1.ForwardedFor && len(req.Value(f)) > 0 {
				b = append(b, req.Value(f)...)
				b = append(b, ", "...)
			}
		}
	}
	b = c.addr.Addr().AppendTo(b)
	b = append(b, "\r\n"...)
	if !c.trusted || !has(req.Fields(), http1.ForwardedProto) {
		b = append(b, "X-Forwarded-Proto: "...)
		b = append(b, c.scheme()...)
		b = append(b, "\r\n"...)
	}
	if len(req.Host) > 0 && (!c.trusted || !has(req.Fields(), http1.ForwardedHost)) {
		b = append(b, "X-Forwarded-Host: "...)
		b = append(b, req.Host...)
		b = append(b, "\r\n"...)
	}
	if !c.trusted || !has(req.Fields(), http1.ForwardedPort) {
		b = append(b, "X-Forwarded-Port: "...)
		b = append(b, c.port...)
		b = append(b, "\r\n"...)
	}
	return b
}

// scheme is how the client came.
func (c *client) scheme() string {
	if c.secure {
		return "https"
	}
	return "http"
}

// remoteAddr is the address of who sent the request first: the last address in
// X-Forwarded-For that is not itself a trusted proxy, else the peer.
func (x *exchange) remoteAddr() string {
	c, req := x.c, &x.c.req
	addr := c.addr.Addr()
	if !c.trusted {
		return c.name().addr
	}
	fields := req.Fields()
	for i := len(fields) - 1; i >= 0; i-- {
		if fields[i].Kind != http1.ForwardedFor {
			continue
		}
		list := req.Value(&fields[i])
		for len(list) > 0 {
			from := bytes.LastIndexByte(list, ',') + 1
			element, err := netip.ParseAddr(string(bytes.TrimSpace(list[from:])))
			if err != nil {
				return addr.String()
			}
			addr = element.Unmap()
			if !x.settings.trusts(addr) {
				return addr.String()
			}
			list = list[:max(from-1, 0)]
		}
	}
	return addr.String()
}
