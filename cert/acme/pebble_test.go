package acme

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"upfront/internal/pebble"
)

// patience is how long anything may take that takes moments.
const patience = time.Minute

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for what happens in its own time.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// output collects what a process prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// tool sees to a program of the Debian package pebble. CI has to have it.
func tool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: install the package pebble", name)
	}
	t.Skipf("%s is missing: install the package pebble to run this test", name)
}

// start runs a program until stop is called, or the test ends.
func start(t *testing.T, command *exec.Cmd) (stop func()) {
	t.Helper()
	tool(t, command.Args[0])
	said := &output{}
	command.Stdout, command.Stderr = said, said
	must(t, command.Start())
	stop = sync.OnceFunc(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			text := said.String()
			t.Logf("%s said: %s", command.Args[0], text[max(len(text)-2000, 0):])
		}
	})
	t.Cleanup(stop)
	return stop
}

// freePort is a port that nobody listened on a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = ln.Close() }()
	return ln.Addr().(*net.TCPAddr).Port
}

func at(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// selfSigned writes a certificate and its key for names, valid for life.
func selfSigned(t *testing.T, folder string, life time.Duration, names ...string) (chain, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life),
		DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	secret, err := x509.MarshalECPrivateKey(private)
	must(t, err)
	chain, key = filepath.Join(folder, "self.crt"), filepath.Join(folder, "self.key")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	must(t, os.WriteFile(chain, text, 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return chain, key, pool
}

// authority is a pebble. It refuses some of our nonces, as it does by default.
type authority struct {
	t         *testing.T
	directory string
	roots     *x509.CertPool // of the directory itself
	management,
	config string
	names string // the DNS server that it asks
	end   func()
}

// newAuthority starts one that validates at the ports of edge. binding are the keys of
// external accounts by their id; with any, one is required.
func newAuthority(t *testing.T, e *edge, names string, binding map[string]string) *authority {
	t.Helper()
	tool(t, "pebble")
	folder := t.TempDir()
	a := &authority{t: t, names: names}
	chain, key, pool := selfSigned(t, folder, time.Hour, "localhost")
	a.roots = pool
	listen := at(freePort(t))
	a.management = at(freePort(t))
	a.directory = "https://" + listen + "/dir"
	var err error
	a.config, err = pebble.Server{
		Listen: listen, Management: a.management, Certificate: chain, Key: key,
		HTTPPort: e.port(e.http), TLSPort: e.port(e.tls), Accounts: binding,
	}.Write(folder)
	must(t, err)
	a.begin()
	return a
}

// begin starts it, also after end.
func (a *authority) begin() {
	a.t.Helper()
	a.end = start(a.t, pebble.Command(context.Background(), a.config, a.names))
	client := a.client()
	defer client.CloseIdleConnections()
	until(a.t, "pebble answers", func() bool {
		answer, err := client.Get(a.directory)
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return true
	})
}

func (a *authority) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.roots}}}
}

// issuers is the pool of the certificates that it issues from.
func (a *authority) issuers() *x509.CertPool {
	a.t.Helper()
	client := a.client()
	defer client.CloseIdleConnections()
	pool, err := pebble.Issuers(a.t.Context(), client, a.management)
	must(a.t, err)
	return pool
}

func (a *authority) asOptions() Authority {
	return Authority{Directory: a.directory, Email: "ops@example.test", Roots: a.roots}
}

// newNames starts a DNS server that says 127.0.0.1 for every name.
func newNames(t *testing.T) (address string) {
	t.Helper()
	address = at(freePort(t))
	management := at(freePort(t))
	start(t, pebble.NamesCommand(context.Background(), address, management))
	until(t, "challtestsrv listens", func() bool {
		conn, err := net.Dial("tcp", management)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	return address
}

// edge is where clients and the authority arrive.
type edge struct {
	t         *testing.T
	http, tls net.Listener
	owner     chan *Certificates // holds the one that is asked
	work      sync.WaitGroup
}

func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{t: t, owner: make(chan *Certificates, 1)}
	var err error
	e.http, err = net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	e.tls, err = net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	plainServer := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := e.certificates().Answer([]byte(r.Host), []byte(r.URL.Path))
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(answer)
	}), ReadHeaderTimeout: patience}
	e.work.Go(func() { _ = plainServer.Serve(e.http) })
	e.work.Go(e.handshakes)
	t.Cleanup(func() {
		_ = plainServer.Close()
		_ = e.tls.Close()
		e.work.Wait()
	})
	return e
}

func (e *edge) certificates() *Certificates {
	c := <-e.owner
	e.owner <- c
	return c
}

func (e *edge) handshakes() {
	config := &tls.Config{
		NextProtos: []string{"http/1.1", Protocol},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return e.certificates().GetCertificate(hello)
		},
	}
	for {
		conn, err := e.tls.Accept()
		if err != nil {
			return
		}
		e.work.Go(func() {
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(patience))
			if secure := tls.Server(conn, config); secure.Handshake() == nil {
				_, _ = secure.Write([]byte("ok"))
				_ = secure.CloseWrite()
				_, _ = secure.Read(make([]byte, 1))
			}
		})
	}
}

func (e *edge) port(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

// shake asks for name and returns the certificate that it is shown, verified when roots
// are given.
func (e *edge) shake(name string, roots *x509.CertPool) (*x509.Certificate, error) {
	dialer := &net.Dialer{Timeout: patience}
	conn, err := tls.DialWithDialer(dialer, "tcp", e.tls.Addr().String(), &tls.Config{
		ServerName: name, RootCAs: roots, InsecureSkipVerify: roots == nil,
	})
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Read(make([]byte, 2)); err != nil {
		return nil, fmt.Errorf("read behind the handshake: %w", err)
	}
	return conn.ConnectionState().PeerCertificates[0], nil
}
