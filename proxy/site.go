package proxy

import (
	"bytes"

	"upfront/service"
)

// site is how a host is reached over TLS, as the service at its root says: a handshake
// knows no path. Nil when nobody says.
func (s *Server) site(host []byte) *service.TLS {
	svc, _, ok := s.routes.Match(host, rootPath)
	if !ok {
		return nil
	}
	return svc.TLS
}

// site is that of the request's host.
func (x *exchange) site() *service.TLS {
	if len(x.prefix) <= 1 {
		return x.svc.TLS
	}
	return x.c.server.site(x.c.req.Host)
}

// judgeHost refuses a request that came on a connection which does not vouch for its
// host (RFC 9110 §15.5.20): whose handshake was for a host of another service, with a
// certificate that is not for this one, or asked for no certificate of the client where
// this host's service wants one.
func (x *exchange) judgeHost() *Error {
	site, session := x.site(), x.c.tls
	if site == nil {
		return nil
	}
	if session == nil {
		if site.ClientCA == nil || site.Redirect && !x.secure() || x.asksHealth() {
			return nil
		}
		return &Error{Op: "route", Source: FromClient, Status: 403, Err: errNeedsTLS}
	}
	if site.ClientCA != nil {
		if _, id := site.ClientCA.Roots(); id != session.clientCA {
			return x.misdirected()
		}
	}
	if !x.vouchesFor(session) {
		return x.misdirected()
	}
	return nil
}

// vouchesFor reports whether the handshake was for the request's host, for another one
// of its service, or with a certificate that is for it as well: browsers use one
// connection for all hosts of a certificate.
func (x *exchange) vouchesFor(session *session) bool {
	host := hostName(x.c.req.Host)
	if session.host == "" || bytes.EqualFold(host, []byte(session.host)) {
		return true
	}
	root, asked := x.svc, rootPath
	if len(x.prefix) > 1 {
		root, _, _ = x.c.server.routes.Match(x.c.req.Host, asked)
	}
	if svc, _, ok := x.c.server.routes.Match([]byte(session.host), asked); ok && (svc.TLS == nil || root != nil && svc.Name == root.Name) {
		return true
	}
	return session.served != nil && session.served.Leaf != nil && session.served.Leaf.VerifyHostname(string(host)) == nil
}

func (x *exchange) misdirected() *Error {
	x.c.server.counters.Misdirected.Add(1)
	return &Error{Op: "route", Source: FromClient, Status: 421, Err: errMisdirected}
}

// hsts is what a client is told so that it comes over TLS from now on; "" for nothing.
// It is said over TLS only (RFC 6797 §7.2).
func (x *exchange) hsts() string {
	if x.svc == nil {
		return ""
	}
	if site := x.site(); site != nil && site.HSTS != "" && x.secure() {
		return site.HSTS
	}
	return ""
}

const hstsName = "Strict-Transport-Security"

// appendHSTS adds the line, unless the target has said it itself.
func (x *exchange) appendHSTS(b []byte) []byte {
	value := x.hsts()
	if value == "" {
		return b
	}
	res := &x.c.res
	for i := range res.Fields() {
		if bytes.EqualFold(res.Name(&res.Fields()[i]), []byte(hstsName)) {
			return b
		}
	}
	b = append(b, hstsName+": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}
