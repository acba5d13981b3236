package dial

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pair is a certificate that is its own authority, with its files.
type pair struct {
	tls.Certificate
	file, keyFile string
}

func newPair(t *testing.T, edit func(*x509.Certificate)) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"},
		DNSNames: []string{"app.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	if edit != nil {
		edit(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	p := pair{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")}
	write(t, p.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, p.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	return p
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// tlsTarget is a target whose handshake is config's, and that then does serve.
func tlsTarget(t *testing.T, config *tls.Config, serve func(*tls.Conn)) string {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		c := tls.Server(conn, config)
		if c.HandshakeContext(context.Background()) == nil {
			serve(c)
			_ = c.Close()
		}
	})
}

func TestDial_saysWhatIsWrongWithACertificate(t *testing.T) {
	good, other := newPair(t, nil), newPair(t, nil)
	old := newPair(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })
	early := newPair(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) })
	named := newPair(t, func(c *x509.Certificate) { c.IPAddresses = nil })
	nobody := x509.NewCertPool()
	for _, test := range []struct {
		name   string
		config *tls.Config
		tls    TLS
		want   string // "" for no error
	}{
		{"good", &tls.Config{Certificates: []tls.Certificate{good.Certificate}}, TLS{CA: good.file}, ""},
		{"good by its name", &tls.Config{Certificates: []tls.Certificate{named.Certificate}}, TLS{CA: named.file, Name: "app.test"}, ""},
		{"any", &tls.Config{Certificates: []tls.Certificate{old.Certificate}}, TLS{InsecureSkipVerify: true}, ""},
		{
			"unknown authority", &tls.Config{Certificates: []tls.Certificate{other.Certificate}},
			TLS{CA: good.file},
			`is signed by "CN=test", which is not trusted: set the CA (--target-tls-ca, target_tls.ca in the config file)`,
		},
		{
			"name", &tls.Config{Certificates: []tls.Certificate{named.Certificate}},
			TLS{CA: named.file},
			`its certificate is for "app.test", not for "127.0.0.1": set its name (--target-tls-name, target_tls.name in the config file)`,
		},
		{"expired", &tls.Config{Certificates: []tls.Certificate{old.Certificate}}, TLS{CA: old.file}, "its certificate expired on "},
		{"early", &tls.Config{Certificates: []tls.Certificate{early.Certificate}}, TLS{CA: early.file}, "its certificate is not valid before "},
		{"no file", &tls.Config{Certificates: []tls.Certificate{good.Certificate}}, TLS{CA: "/nowhere"}, "read --target-tls-ca, target_tls.ca in the config file: open /nowhere"},
		{"client certificate", &tls.Config{
			Certificates: []tls.Certificate{good.Certificate}, MaxVersion: tls.VersionTLS12,
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: nobody,
		}, TLS{CA: good.file}, "it refused the TLS handshake: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDialer(t, Options{TLS: &test.tls, Address: tlsTarget(t, test.config, func(*tls.Conn) {})})
			conn, err := d.Dial(t.Context())
			if err == nil {
				_ = conn.Close()
			}
			if test.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestDial_saysWhoDoesNotSpeakTLS(t *testing.T) {
	d := newDialer(t, Options{TLS: &TLS{}, Address: listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })})
	if _, err := d.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), "it does not speak TLS") {
		t.Errorf("got %v", err)
	}
	silent := newDialer(t, Options{TLS: &TLS{}, Address: listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := silent.Dial(ctx)
	if timeout, ok := errors.AsType[*Error](err); !ok || !timeout.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
}

func TestDial_showsItsCertificateAndResumes(t *testing.T) {
	target, ours := newPair(t, nil), newPair(t, nil)
	trusted := x509.NewCertPool()
	leaf, _ := x509.ParseCertificate(ours.Certificate.Certificate[0])
	trusted.AddCert(leaf)
	d := newDialer(t, Options{
		TLS: &TLS{CA: target.file, Certificate: ours.file, Key: ours.keyFile},
		Address: tlsTarget(t, &tls.Config{
			Certificates: []tls.Certificate{target.Certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted,
		}, func(c *tls.Conn) { _, _ = io.WriteString(c, "hi") }),
	})
	for i := range 3 {
		conn := open(t, d)
		if b, err := io.ReadAll(conn); err != nil || string(b) != "hi" {
			t.Fatalf("got %q, %v", b, err)
		}
		if got := conn.(*Secure).ConnectionState().DidResume; got != (i > 0) {
			t.Errorf("connection %d: resumed %v", i, got)
		}
	}
}

func TestSecure_Peek_takesTicketsInAndFindsWhatIsUnasked(t *testing.T) {
	target := newPair(t, nil)
	say, said := make(chan string), make(chan struct{})
	// One that asks for a certificate sends its tickets behind the handshake.
	config := &tls.Config{Certificates: []tls.Certificate{target.Certificate}, ClientAuth: tls.RequestClientCert}
	d := newDialer(t, Options{TLS: &TLS{CA: target.file}, Address: tlsTarget(t, config,
		func(c *tls.Conn) {
			for text := range say {
				_, _ = io.WriteString(c, text)
				said <- struct{}{}
			}
		})})
	hush := sync.OnceFunc(func() { close(say) })
	t.Cleanup(hush)
	conn := open(t, d).(*Secure)
	if err := conn.Await(); err != nil { // until the session tickets of TLS 1.3 have come
		t.Fatal(err)
	}
	if silent, ended := conn.Peek(); !silent || ended {
		t.Fatalf("got silent %v, ended %v behind session tickets, want a connection that can be used", silent, ended)
	}
	say <- "x"
	<-said
	if err := conn.Await(); err != nil {
		t.Fatal(err)
	}
	if silent, ended := conn.Peek(); silent || ended {
		t.Errorf("got silent %v, ended %v behind a byte", silent, ended)
	}
	b := make([]byte, 8)
	if n, err := conn.Read(b); err != nil || string(b[:n]) != "x" {
		t.Errorf("got %q, %v, want what was peeked at", b[:n], err)
	}
	hush()
	if err := conn.Await(); err != nil {
		t.Fatal(err)
	}
	if silent, ended := conn.Peek(); silent || !ended {
		t.Errorf("got silent %v, ended %v at the end", silent, ended)
	}
}

func TestCredentials_followTheirFiles(t *testing.T) {
	first, second := newPair(t, nil), newPair(t, nil)
	c := newCredentials(Options{Address: "a:1", TLS: &TLS{CA: first.file}})
	get := func() *tls.Config {
		c.looked = c.looked.Add(-2 * lookEvery)
		config, err := c.get()
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	c.looked = time.Time{}
	before, err := c.get()
	if err != nil {
		t.Fatal(err)
	}
	write(t, first.file, []byte("no certificate"))
	if get() != before {
		t.Error("a spoiled file was not kept away")
	}
	text, err := os.ReadFile(second.file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, first.file, append(text, '\n', '\n'))
	if get() == before {
		t.Error("a file that was replaced did not count")
	}
}

// A queue that is full refuses at once on a unix socket; here it is waited for.
func TestDial_waitsForAPlaceInTheQueueOfAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.sock")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	d := newDialer(t, Options{Network: "unix", Address: path})
	first := open(t, d) // fills the queue
	defer first.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if conn, err := d.Dial(ctx); err == nil {
		_ = conn.Close()
		t.Skip("this system has room for more than it was told")
	} else if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		conn, err := d.Dial(t.Context())
		if err != nil {
			t.Errorf("got %v while the queue was being emptied", err)
			return
		}
		_ = conn.Close()
	})
	for range 2 {
		accepted, _, err := syscall.Accept(fd)
		if err != nil {
			t.Fatal(err)
		}
		_ = syscall.Close(accepted)
	}
	waiting.Wait()
}
