package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"runtime"
	"strconv"
	"time"

	"upfront/page"
	"upfront/proxy/http1"
	"upfront/proxy/proxyproto"
)

// session is what the handshake settled.
type session struct {
	host     string           // that the client asked for (SNI); "" for none
	protocol string           // by ALPN; "" for none
	served   *tls.Certificate // nil until the handshake has chosen one
	clientCA string           // the ID of the authority that the client's certificate is of; "" for none asked
}

func newHandshakeTurns() chan struct{} { return make(chan struct{}, max(runtime.GOMAXPROCS(0), 1)) }

// newTLSConfig is made once for a listener.
func (s *Server) newTLSConfig(o TLSOptions) *tls.Config {
	protocols := o.Protocols
	if len(protocols) == 0 {
		protocols = []string{protocolHTTP2, protocolHTTP1}
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			l, ok := hello.Conn.(*tlsLayer)
			if !ok {
				return o.Certificate(hello)
			}
			l.endTurn() // it may be waited for: an order takes seconds, and a handshake of the authority's
			chosen, err := o.Certificate(hello)
			if l.session.served = chosen; err == nil && chosen != nil {
				err = l.takeTurn()
			}
			return chosen, err
		},
	}
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		l, ok := hello.Conn.(*tlsLayer)
		if !ok {
			return nil, nil //nolint:nilnil // It means the same config.
		}
		l.session.host = hello.ServerName
		if err := l.takeTurn(); err != nil {
			return nil, err
		}
		return s.configFor(config, l, hello.ServerName), nil
	}
	return config
}

// configFor asks for a client's certificate where the host's service wants one. That of
// a session that is resumed is verified anew (since Go 1.26). The result has the keys of the tickets of config, for it has none of its own.
func (s *Server) configFor(config *tls.Config, l *tlsLayer, host string) *tls.Config {
	site := s.site([]byte(host))
	if site == nil || site.ClientCA == nil {
		return nil
	}
	roots, id := site.ClientCA.Roots()
	l.session.clientCA = id
	own := config.Clone()
	own.GetConfigForClient = nil
	own.ClientAuth, own.ClientCAs = tls.RequireAndVerifyClientCert, roots
	return own
}

// takeTurn waits until few enough handshakes compute that those who have a connection
// already do not starve. A turn ends when the client is waited for.
func (l *tlsLayer) takeTurn() error {
	select {
	case l.turns <- struct{}{}:
		l.turn = true
		return nil
	default:
	}
	var late <-chan time.Time // never, where a handshake has no limit
	if !l.turnBy.IsZero() {
		timer := time.NewTimer(time.Until(l.turnBy))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case l.turns <- struct{}{}:
		l.turn = true
		return nil
	case <-late:
		return errHandshakeTurn
	}
}

func (l *tlsLayer) endTurn() {
	if l.turn {
		l.turn = false
		<-l.turns
	}
}

// greet does what comes before the first request: the PROXY header is read, and the
// handshake run. It reports false when the connection is to be closed. Meanwhile the
// client counts as one that idles: where others wait for its place, it is cut.
func (c *client) greet() bool {
	proxied := c.listener.proxied(c.addr.Addr())
	if !proxied && c.listener.tls == nil {
		return true
	}
	now := time.Now()
	since := now.UnixNano()
	c.idleSince.Store(since)
	if timeout := c.server.pressure.now().within(c.server.settings.Load().HandshakeTimeout); timeout > 0 {
		by := now.Add(timeout)
		_ = c.SetDeadline(by)
		if c.layer != nil {
			c.layer.turnBy = by
		}
	}
	if proxied && !c.meet() {
		return false
	}
	if c.layer != nil && (c.extra || !c.shakeHands()) {
		return false
	}
	if !c.idleSince.CompareAndSwap(since, 0) {
		return false // somebody ended the wait
	}
	_ = c.SetDeadline(time.Time{})
	return true
}

// shakeHands runs the handshake.
func (c *client) shakeHands() bool {
	counters := &c.server.counters
	err := c.layer.tls.HandshakeContext(context.Background()) // the deadline is the connection's
	c.layer.endTurn()
	if err != nil {
		counters.HandshakeErrors.Add(1)
		var notTLS tls.RecordHeaderError
		if errors.As(err, &notTLS) && notTLS.Conn != nil {
			c.refusePlainly()
		}
		return false
	}
	state := c.layer.tls.ConnectionState()
	counters.Handshakes.Add(1)
	if state.DidResume {
		counters.Resumptions.Add(1)
	}
	c.tls = &c.layer.session
	c.tls.protocol = state.NegotiatedProtocol
	return true
}

// refusePlainly answers who does not speak TLS, be it a client that took the port for
// another or a PROXY header of somebody who may not send one.
func (c *client) refusePlainly() {
	c.server.counters.BadRequests.Add(1)
	var plain socket
	plain.init(c.layer.Conn)
	content := page.Content{Status: 400}
	body := content.Append(nil, page.Text)
	head := ownHead{status: 400, form: page.Text, closing: true}.append(nil, len(body))
	_ = plain.SetDeadline(time.Now().Add(turnAwayTime))
	if _, err := new(sender).send(&plain, &head, body, turnAwayTime); err != nil {
		return
	}
	plain.closeWrite()
	var rest bodyReader
	rest.init(&plain)
	defer rest.discard()
	for read := 0; read < maxRefused && rest.more() == nil; rest.discard() {
		read += rest.have
	}
}

// maxRefused bounds how much of what was refused is read, so that the answer arrives.
const maxRefused = 64 << 10

// meet reads the PROXY header, and from then on the client is who it names.
func (c *client) meet() bool {
	header, rest, err := c.readProxyHeader()
	if err != nil {
		c.server.counters.ProxyHeaderErrors.Add(1)
		if c.layer == nil && !timedOut(err) && !errors.Is(err, proxyproto.ErrShort) {
			c.space()
			c.x.begin(c)
			c.req.Reset()
			c.x.refuse(&http1.Error{Status: 400, Reason: "PROXY header is missing or not valid"})
		}
		return false
	}
	if c.layer != nil {
		c.layer.early = rest
	} else if len(rest) > 0 {
		c.have = copy(c.space(), rest)
	}
	if header.Local || !header.Source.IsValid() {
		return true // the balancer itself, which may have any number
	}
	c.addr = header.Source
	if header.Destination.IsValid() {
		c.port = strconv.Itoa(int(header.Destination.Port()))
	}
	c.server.countAddress(c)
	return true
}

// readProxyHeader returns the header and what came behind it.
func (c *client) readProxyHeader() (h proxyproto.Header, rest []byte, err error) {
	conn := c.system()
	var buf [proxyproto.MaxBytes]byte // less than what a new workspace has room for
	for have := 0; ; {
		n, err := conn.Read(buf[have:])
		if have += n; n > 0 {
			header, at, bad := proxyproto.Read(buf[:have])
			if bad == nil {
				return header, append([]byte(nil), buf[at:have]...), nil
			}
			if !errors.Is(bad, proxyproto.ErrShort) {
				return h, nil, bad
			}
		}
		if err != nil {
			return h, nil, err
		}
	}
}
