package proxy

import (
	"crypto/tls"
	"net/netip"
)

// ListenerOptions are what one listener does differently. The zero value is a plain
// one.
type ListenerOptions struct {
	// TLS ends the TLS of clients. Nil is a plain listener.
	TLS *TLSOptions
	// ProxyProtocol are the networks of load balancers that send a PROXY header
	// first, version 1 or 2, and must. From others it is a bad request. None by
	// default.
	ProxyProtocol []netip.Prefix
	// HTTPSPort is where a redirect from this listener to https leads. Zero is 443.
	HTTPSPort int
}

// TLSOptions are how a listener ends TLS. Versions and suites are Go's, from TLS 1.2
// on; session tickets are sealed with keys that Go changes every day.
type TLSOptions struct {
	// Certificate chooses one, as tls.Config.GetCertificate does. Nil and no error
	// refuses the name.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Protocols that are offered, the most wanted first (ALPN). Default "h2" and
	// "http/1.1".
	Protocols []string
}

// The protocols that a client may choose.
const (
	protocolHTTP1 = "http/1.1"
	protocolHTTP2 = "h2"
	protocolACME  = "acme-tls/1" // RFC 8737: the handshake is all of it
)

// listener is what its connections share.
type listener struct {
	tls       *tls.Config // nil: plain. Never replaced: the keys of the tickets are in it
	balancers []netip.Prefix
	httpsPort int
}

func (s *Server) newListener(o ListenerOptions) *listener {
	l := &listener{balancers: o.ProxyProtocol, httpsPort: o.HTTPSPort}
	if l.httpsPort == 0 {
		l.httpsPort = 443
	}
	if o.TLS != nil {
		l.tls = s.newTLSConfig(*o.TLS)
	}
	return l
}

// proxied reports whether a connection from addr begins with a PROXY header.
func (l *listener) proxied(addr netip.Addr) bool {
	for _, network := range l.balancers {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// connInfo is what is known of a connection of a client before its first request.
type connInfo struct {
	addr     netip.AddrPort // of the client
	port     string         // that it connected to
	listener *listener
	tls      *session // nil without TLS
}

// secure reports whether there is TLS between the client and us.
func (i *connInfo) secure() bool { return i.tls != nil }

// scheme is how the client reached us.
func (i *connInfo) scheme() string {
	if i.secure() {
		return "https"
	}
	return "http"
}
