package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// A certificate that is ordered while its client waits takes seconds.
func TestTLS_certificateThatIsWaitedForHoldsUpNobody(t *testing.T) {
	a := newAuthority(t)
	good := a.issue("a")
	asked, release := make(chan struct{}, 100), make(chan struct{})
	defer close(release)
	choose := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName != "a" {
			asked <- struct{}{}
			<-release
			return nil, nil //nolint:nilnil // It is how package tls wants it.
		}
		return &good, nil
	}
	svc := newService(httpTarget(t, func(http.ResponseWriter, *http.Request) {}))
	r := newRigWith(t, Settings{}, svc, &fixedRoutes{svc: svc, prefix: "/"}, ListenerOptions{TLS: &TLSOptions{Certificate: choose}})
	shake := func(name string) func() error {
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		return tls.Client(conn, &tls.Config{ServerName: name, RootCAs: a.pool}).Handshake
	}
	for range cap(r.server.turns) {
		handshake := shake("new.example")
		go func() { _ = handshake() }()
		next(t, asked)
	}
	if err := shake("a")(); err != nil {
		t.Errorf("handshake of a host that has its certificate: %v", err)
	}
}

func TestTLS_handshakeWithoutLimitWaitsForItsTurn(t *testing.T) {
	r, _ := newTLSRig(t, Settings{HandshakeTimeout: -1}, newService(httpTarget(t, func(http.ResponseWriter, *http.Request) {})), "a")
	for range cap(r.server.turns) {
		r.server.turns <- struct{}{}
	}
	late, done := r.dial().(*tlsClient), make(chan error, 1)
	go func() { done <- late.Handshake() }()
	for range cap(r.server.turns) {
		<-r.server.turns
	}
	if err := next(t, done); err != nil {
		t.Errorf("handshake: %v", err)
	}
}

// What came in one packet with a PROXY header is a request already.
func TestProxyHeader_mayComeWithTheRequestWhereHTTP2IsSpoken(t *testing.T) {
	svc := newService(httpTarget(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hi") }))
	r := newRigWith(t, speaksHTTP2, svc, &fixedRoutes{svc: svc, prefix: "/"}, ListenerOptions{ProxyProtocol: loopback})
	dial := func() net.Conn {
		conn := &joined{Conn: r.dial(), first: "PROXY TCP4 192.0.2.7 192.0.2.254 4711 8443\r\n"}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		return conn
	}
	conn := dial()
	_, _ = io.WriteString(conn, plainGET)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	bodyOf(t, res)
	w := newH2Wire(t, dial())
	w.get(1, "/")
	if a := w.answer(1); a.status != "200" {
		t.Errorf("got %+v, want 200", a)
	}
}

// halving sends the first half of what is written, and keeps the rest, once it is told.
type halving struct {
	net.Conn
	on   bool
	rest []byte
}

func (h *halving) Write(b []byte) (int, error) {
	if !h.on {
		return h.Conn.Write(b)
	}
	h.rest = append([]byte(nil), b[len(b)/2:]...)
	_, err := h.Conn.Write(b[:len(b)/2])
	return len(b), err
}

// A request of which a part has arrived is not closed as idle.
func TestTLS_requestThatHasBegunIsNotIdle(t *testing.T) {
	svc := newService(httpTarget(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hi") }))
	a := newAuthority(t)
	r := newRigWith(t, Settings{}, svc, &fixedRoutes{svc: svc, prefix: "/"}, ListenerOptions{TLS: only(a.issue("a"))})
	raw, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	half := &halving{Conn: raw}
	conn := tlsOver(half, a)
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(conn)
	ask := func() {
		if _, err := io.WriteString(conn, plainGET); err != nil {
			t.Fatal(err)
		}
	}
	receive := func() {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		bodyOf(t, res)
	}
	ask()
	receive()
	eventually(t, "it idles", func() bool { return r.only().idleSince.Load() > 0 })
	half.on = true
	ask()
	eventually(t, "the half was taken", func() bool { return r.only().quiet() })
	r.server.closeIdle(1)
	if _, err := raw.Write(half.rest); err != nil {
		t.Fatal(err)
	}
	receive()
}

func TestHTTP2_idlesAfterAnEarlyAnswer(t *testing.T) {
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		_, _ = readHead(r)
		_, _ = io.WriteString(c, ok("early"))
		_, _ = io.Copy(io.Discard, r)
	})
	r := newRig(t, speaksHTTP2, newService(target.addr))
	w := r.h2wire()
	w.headers(1, false, ":method: POST", ":scheme: http", ":path: /", ":authority: a.example")
	w.data(1, false, "hello")
	if a := w.answer(1); a.status != "200" {
		t.Fatalf("got %+v, want 200", a)
	}
	eventually(t, "it idles", func() bool { return r.only().idleSince.Load() > 0 })
}

// only returns the one client.
func (r *rig) only() *client {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	for c := range r.server.seats.clients {
		return c
	}
	r.t.Fatal("nobody is connected")
	return nil
}
