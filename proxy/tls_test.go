package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"upfront/cert"
	"upfront/service"
)

// newTLSRig is a server that ends TLS for names.
func newTLSRig(t *testing.T, settings Settings, svc *service.Service, names ...string) (*rig, *authority) {
	t.Helper()
	a := newAuthority(t)
	r := newRigWith(t, settings, svc, &fixedRoutes{svc: svc, prefix: "/"}, ListenerOptions{TLS: only(a.issue(names...))})
	r.client = &tls.Config{RootCAs: a.pool, ServerName: names[0]}
	return r, a
}

// state runs the handshake of a new connection.
func (r *rig) state() tls.ConnectionState {
	r.t.Helper()
	conn := r.dial().(*tlsClient)
	if err := conn.Handshake(); err != nil {
		r.t.Fatalf("handshake: %v", err)
	}
	return conn.ConnectionState()
}

func TestTLS_servesARequestAndSaysSo(t *testing.T) {
	heads := make(chan string, 1)
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		head, _ := readHead(r)
		heads <- head
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	r, _ := newTLSRig(t, Settings{}, newService(target.addr), "a")
	w := r.wire()
	w.send(plainGET)
	if _, body := w.receive("GET"); body != "ok" {
		t.Errorf("got %q", body)
	}
	head := next(t, heads)
	_, port, _ := net.SplitHostPort(r.addr)
	for _, want := range []string{"X-Forwarded-Proto: https\r\n", "X-Forwarded-Port: " + port + "\r\n"} {
		if !strings.Contains(head, want) {
			t.Errorf("head lacks %q:\n%s", want, head)
		}
	}
	if _, fields := r.line(); fields["scheme"] != "https" {
		t.Errorf("got scheme %v, want https", fields["scheme"])
	}
}

func TestTLS_speaksWhatIsPromised(t *testing.T) {
	r, _ := newTLSRig(t, Settings{}, newService("127.0.0.1:1"), "a")
	base := r.client
	base.NextProtos = []string{"h2", "http/1.1"}
	state := r.state()
	if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 || state.NegotiatedProtocol != "h2" {
		t.Errorf("got version %x, curve %s, protocol %q", state.Version, state.CurveID, state.NegotiatedProtocol)
	}
	base.MaxVersion = tls.VersionTLS12
	if state := r.state(); state.Version != tls.VersionTLS12 {
		t.Errorf("got version %x, want TLS 1.2", state.Version)
	}
	base.MinVersion, base.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if err := r.dial().(*tlsClient).Handshake(); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	base.MinVersion, base.MaxVersion, base.CipherSuites = 0, tls.VersionTLS12, nil
	for _, weak := range tls.InsecureCipherSuites() {
		if strings.Contains(weak.Name, "RC4") || strings.Contains(weak.Name, "3DES") || strings.HasPrefix(weak.Name, "TLS_RSA") {
			base.CipherSuites = append(base.CipherSuites, weak.ID)
		}
	}
	if err := r.dial().(*tlsClient).Handshake(); err == nil {
		t.Error("a weak suite is spoken")
	}
}

// The keys of the tickets must not change with the settings.
func TestTLS_resumesSessionsAcrossChanges(t *testing.T) {
	r, _ := newTLSRig(t, Settings{}, newService(httpTarget(t, func(http.ResponseWriter, *http.Request) {})), "a")
	r.client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for i := range 3 {
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		w.receive("GET") // the ticket comes with it
		w.ends(true)
		if got, want := w.Conn.(*tlsClient).ConnectionState().DidResume, i > 0; got != want {
			t.Errorf("connection %d: resumed %v, want %v", i, got, want)
		}
		r.server.Apply(Settings{IdleTimeout: time.Duration(i+1) * time.Minute})
	}
	c := &r.server.counters
	if c.Handshakes.Load() != 3 || c.Resumptions.Load() != 2 {
		t.Errorf("counted %d handshakes, %d resumed, want 3 and 2", c.Handshakes.Load(), c.Resumptions.Load())
	}
}

// recordKeeper keeps the types of the records that come.
type recordKeeper struct {
	net.Conn
	seen bytes.Buffer
}

func (r *recordKeeper) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.seen.Write(b[:n])
	return n, err
}

// lastRecord is the type of the last record, and whether all are whole.
func (r *recordKeeper) lastRecord() (kind byte, whole bool) {
	b := r.seen.Bytes()
	for len(b) >= 5 {
		kind = b[0]
		n := 5 + int(b[3])<<8 + int(b[4])
		if n > len(b) {
			return kind, false
		}
		b = b[n:]
	}
	return kind, len(b) == 0
}

const alertRecord = 21

func TestTLS_saysGoodbyeAtTheEndAndNotAtACut(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		goodbye      bool
	}{
		{"whole answer", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", true},
		{"cut answer", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", false},
		{"cut chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := newRawTarget(t, func(conn net.Conn, r *bufio.Reader) {
				if _, err := readHead(r); err == nil {
					_, _ = io.WriteString(conn, c.answer)
				}
			})
			r, _ := newTLSRig(t, Settings{}, newService(target.addr), "a")
			config := r.client.Clone()
			config.MaxVersion = tls.VersionTLS12 // alerts can be told from outside
			r.client = nil
			seen := &recordKeeper{Conn: r.dial()}
			conn := tls.Client(seen, config)
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			_, err := io.ReadAll(conn)
			kind, whole := seen.lastRecord()
			if got := err == nil && whole && kind == alertRecord; got != c.goodbye {
				t.Errorf("ended with %v, last record %d, whole %v; want a goodbye: %v", err, kind, whole, c.goodbye)
			}
		})
	}
}

func TestTLS_answersWhoDoesNotSpeakIt(t *testing.T) {
	for _, raw := range []string{plainGET, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + plainGET} {
		r, _ := newTLSRig(t, Settings{}, newService("127.0.0.1:1"), "a")
		r.client = nil
		if res := r.ask(raw, "GET"); res.StatusCode != 400 {
			t.Errorf("%q: got %d, want 400", raw, res.StatusCode)
		}
		if got := r.server.counters.HandshakeErrors.Load(); got != 1 {
			t.Errorf("counted %d handshake errors, want 1", got)
		}
	}
}

func TestTLS_cutsWhoDoesNotShakeHands(t *testing.T) {
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" // and no more
	for _, raw := range []string{"", "\x16", hello} {
		r, _ := newTLSRig(t, Settings{HandshakeTimeout: 50 * time.Millisecond}, newService("127.0.0.1:1"), "a")
		r.client = nil
		conn := r.dial()
		_, _ = io.WriteString(conn, raw)
		if _, err := io.Copy(io.Discard, conn); timedOut(err) {
			t.Errorf("%q: connection was not cut", raw)
		}
		eventually(t, "the client is gone", func() bool { return r.server.census() == 0 })
	}
}

// A flood of handshakes must leave the processors to those who have a connection.
func TestTLS_letsHandshakesWaitTheirTurn(t *testing.T) {
	r, _ := newTLSRig(t, Settings{}, newService(httpTarget(t, func(http.ResponseWriter, *http.Request) {})), "a")
	early := r.wire()
	early.send(plainGET)
	early.receive("GET")
	for range cap(r.server.turns) {
		r.server.turns <- struct{}{}
	}
	done := make(chan error, 1)
	late := r.dial().(*tlsClient)
	go func() { done <- late.Handshake() }()
	for range 100 { // which takes longer than a handshake
		early.send(plainGET)
		early.receive("GET")
	}
	select {
	case err := <-done:
		t.Fatalf("handshake ended without a turn: %v", err)
	default:
	}
	for range cap(r.server.turns) {
		<-r.server.turns
	}
	if err := next(t, done); err != nil {
		t.Errorf("handshake: %v", err)
	}
	eventually(t, "the turn is given back", func() bool { return len(r.server.turns) == 0 })
}

// A turn is for computing: who waits for a client that says nothing has none.
func TestTLS_keepsNoTurnForASilentClient(t *testing.T) {
	r, a := newTLSRig(t, Settings{}, newService("127.0.0.1:1"), "a")
	r.client = nil
	conn := r.dial()
	answered, silent := make(chan struct{}), make(chan struct{})
	client := tlsOver(&stalled{Conn: conn, answered: answered, silent: silent}, a).(*tls.Conn)
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	next(t, answered) // so the server has had its turn
	eventually(t, "the turn is given back", func() bool { return len(r.server.turns) == 0 })
	if got := r.server.counters.Handshakes.Load(); got != 0 {
		t.Errorf("counted %d handshakes of a client that said half of one", got)
	}
	close(silent)
	if err := next(t, done); err != nil {
		t.Errorf("handshake: %v", err)
	}
}

// stalled tells of the first bytes that come, and waits before it hands them over.
type stalled struct {
	net.Conn
	answered, silent chan struct{}
	once             sync.Once
}

func (s *stalled) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	s.once.Do(func() {
		close(s.answered)
		<-s.silent
	})
	return n, err
}

func TestTLS_anIdleConnectionHoldsNoBuffer(t *testing.T) {
	const clients = 200
	r, _ := newTLSRig(t, Settings{}, newService(httpTarget(t, func(http.ResponseWriter, *http.Request) {})), "a")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range clients {
		w := r.wire()
		w.send(plainGET)
		w.receive("GET")
		if i%2 == 0 { // part of a record holds none either
			_, _ = w.Conn.(*tlsClient).tcp.Write([]byte{23, 3, 3, 0, 200, 1, 2, 3})
		}
	}
	const most = 28 << 10 // both ends, and what crypto/tls keeps of them
	each := 0.0
	eventually(t, "the buffers to be given back", func() bool {
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		each = float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse) / clients
		return each < most
	})
	t.Logf("%.1f KB for both ends of an idle TLS connection", each/1024)
}

// authorityFile makes the authority one of services.
func authorityFile(t *testing.T, a *authority) *cert.Authority {
	t.Helper()
	opened, err := cert.OpenAuthority(a.file())
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func TestTLS_wantsCertificatesOfClients(t *testing.T) {
	svc := newService(httpTarget(t, func(http.ResponseWriter, *http.Request) {}))
	clients := newAuthority(t)
	svc.TLS = &service.TLS{ClientCA: authorityFile(t, clients)}
	r, _ := newTLSRig(t, Settings{}, svc, "a")
	r.client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	ask := func() (int, error) {
		w := r.wire()
		_, _ = io.WriteString(w, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		res, err := http.ReadResponse(w.r, nil)
		if err != nil {
			return 0, err
		}
		_, _ = io.Copy(io.Discard, w.r)
		return res.StatusCode, res.Body.Close()
	}
	if _, err := ask(); err == nil {
		t.Error("a client without a certificate is let in")
	}
	r.client.Certificates = []tls.Certificate{newAuthority(t).issue("stranger")}
	if _, err := ask(); err == nil {
		t.Error("a client with a certificate of another CA is let in")
	}
	r.client.Certificates = []tls.Certificate{clients.issue("friend")}
	for range 2 { // the second is resumed
		if status, err := ask(); status != 200 || err != nil {
			t.Errorf("got %d, %v, want 200", status, err)
		}
	}
	if r.server.counters.Resumptions.Load() != 1 {
		t.Error("no session was resumed")
	}
	svc.TLS.ClientCA = authorityFile(t, newAuthority(t)) // only the test may change it while it runs
	if _, err := ask(); err == nil {
		t.Error("a session of a CA that is none any more is resumed")
	}
}

// What is written is encrypted piece by piece, and comes whole whatever the sizes.
func TestTLS_passesBodiesOfEverySize(t *testing.T) {
	for _, buffered := range []bool{false, true} {
		svc := newService(httpTarget(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			_, _ = w.Write(body)
		}))
		svc.BufferResponses, svc.BufferMemory = buffered, 1<<20
		r, _ := newTLSRig(t, Settings{}, svc, "a")
		w := r.wire()
		for _, size := range []int{0, 1, 1023, 1024, 1025, 8<<10 + 1, 16 << 10, 32<<10 - 1, 64<<10 + 7, 3 << 20} {
			body := payload(size)
			go func() {
				_, _ = fmt.Fprintf(w, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", size, body)
			}()
			if _, got := w.receive("POST"); got != string(body) {
				t.Errorf("body of %d bytes came as %d others", size, len(got))
			}
		}
	}
}
