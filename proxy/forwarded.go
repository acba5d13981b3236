package proxy

import (
	"bytes"
	"net/netip"

	"upfront/proxy/http1"
)

// identify decides who the client is: whether the peer may say so, and under
// which id the request runs. The service may change both.
func (x *exchange) identify() {
	if said, ok := x.kamalValue(http1.RequestID); !ok || !x.id.accept(said) {
		x.id.make()
	}
	x.trust()
}

// trust decides whether the peer may say who the client is. Once trusted proxies
// are configured they are who may; a service can only have it forbidden.
func (x *exchange) trust() {
	c, svc, proxies := x.c, x.svc, x.settings.TrustedProxies
	c.trusted = len(proxies) > 0 && x.settings.trusts(c.addr.Addr())
	if svc != nil && svc.ForwardsAlways && len(proxies) == 0 {
		c.trusted = true
	}
	if svc != nil && svc.ForwardsNever {
		c.trusted = false
	}
	if c.trusted {
		for i := range c.req.Fields() {
			f := &c.req.Fields()[i]
			if f.Kind == http1.RequestID && x.id.accept(c.req.Value(f)) {
				return
			}
		}
	}
}

// client is the address that a proxy in front of us names in the header that the
// service knows it by; ok is false when there is none to be believed.
func (x *exchange) client() (addr netip.Addr, ok bool) {
	svc := x.svc
	if svc == nil || svc.ClientIPHeader == "" || len(x.settings.TrustedProxies) > 0 && !x.settings.trusts(x.c.addr.Addr()) {
		return addr, false
	}
	value, ok := headerOf(&x.c.req, svc.ClientIPHeader)
	if !ok {
		return addr, false
	}
	addr, err := netip.ParseAddr(string(value))
	return addr.Unmap().WithZone(""), err == nil
}

// appendForwarded says who the client is. From anyone but a trusted proxy all
// that it says of itself has been cut, so that a target can rely on the lines.
func (x *exchange) appendForwarded(b []byte) []byte {
	c, req := x.c, &x.c.req
	b = append(b, "X-Forwarded-For: "...)
	if client, ok := x.client(); ok {
		b = append(client.AppendTo(b), ", "...)
	} else if c.trusted {
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

// remoteAddr is the address of who sent the request first: the last address in
// X-Forwarded-For that is not itself a trusted proxy, else the peer.
func (x *exchange) remoteAddr() netip.Addr {
	c, req := x.c, &x.c.req
	addr := c.addr.Addr()
	if client, ok := x.client(); ok {
		return client
	}
	if !c.trusted {
		return addr
	}
	fields := req.Fields()
	for i := len(fields) - 1; i >= 0; i-- {
		if fields[i].Kind != http1.ForwardedFor {
			continue
		}
		list := req.Value(&fields[i])
		for len(list) > 0 {
			from := bytes.LastIndexByte(list, ',') + 1
			element, err := netip.ParseAddr(text(bytes.TrimSpace(list[from:])))
			if err != nil {
				return addr
			}
			addr = element.Unmap()
			if !x.settings.trusts(addr) {
				return addr
			}
			list = list[:max(from-1, 0)]
		}
	}
	return addr
}
