package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// authority signs the certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	a.cert, a.key = a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "e2e authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(t testing.TB, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	by, with := template, key
	if a.cert != nil {
		by, with = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, &key.PublicKey, with)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// files replaces the certificate and the key of that name below dir by new ones for
// host. It returns the serial number.
func (a *authority) files(t testing.TB, dir, name, host string) (certificate, private string, serial *big.Int) {
	t.Helper()
	cert, key := a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, KeyUsage: x509.KeyUsageDigitalSignature})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, private = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: cert.Raw}, private: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(path+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, private, cert.SerialNumber
}

// whoAsks is a target that answers with what the proxy says of the client.
func whoAsks(t testing.TB) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"))
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// startSecure starts proxyd with a service for shop.test over TLS.
func startSecure(t testing.TB, o proxyOptions) (p *proxy, a *authority, dir string) {
	t.Helper()
	a, dir = newAuthority(t), t.TempDir()
	o.https = "127.0.0.1:0"
	p = startProxy(t, o)
	certificate, private, _ := a.files(t, dir, "shop", "shop.test")
	p.do(t, "deploy", "shop", "--target", whoAsks(t), "--host", "shop.test", "--tls",
		"--tls-certificate-path", certificate, "--tls-private-key-path", private)
	return p, a, dir
}

func (a *authority) client() *tls.Config {
	return &tls.Config{RootCAs: a.pool, ServerName: "shop.test", MinVersion: tls.VersionTLS12}
}

// Certificates are replaced again and again while clients shake hands: nobody sees a
// failure, and the newest is served within a second.
func TestTLS_replacedCertificatesFailNoHandshake(t *testing.T) {
	p, a, dir := startSecure(t, proxyOptions{})
	want := int64(scale(1500, 50_000))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var done, failed atomic.Int64
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for ctx.Err() == nil {
				conn, err := tls.Dial("tcp", p.secure, a.client())
				if err != nil {
					t.Log(err)
					failed.Add(1)
					continue
				}
				_ = conn.Close()
				done.Add(1)
			}
		})
	}
	swaps, late := 0, 0
	for done.Load() < want && failed.Load() == 0 {
		_, _, serial := a.files(t, dir, "shop", "shop.test")
		took := waitFor(t, 20*time.Second, "the new certificate to be served", func() bool {
			conn, err := tls.Dial("tcp", p.secure, a.client())
			if err != nil {
				t.Fatalf("handshake: %v", err)
			}
			defer func() { _ = conn.Close() }()
			return conn.ConnectionState().PeerCertificates[0].SerialNumber.Cmp(serial) == 0
		})
		if swaps++; took > slack(time.Second) {
			late++
		}
	}
	stop()
	workers.Wait()
	t.Logf("%d handshakes, %d failed, over %d replacements, %d of them live after more than a second", done.Load(), failed.Load(), swaps, late)
	if failed.Load() > 0 {
		t.Errorf("%d handshakes failed", failed.Load())
	}
	if full() && late > 0 {
		t.Errorf("%d certificates were live after more than a second", late)
	}
}

func TestTLS_redirectsAndServes(t *testing.T) {
	p, a, _ := startSecure(t, proxyOptions{})
	_, plainPort, _ := net.SplitHostPort(p.address)
	_, securePort, _ := net.SplitHostPort(p.secure)
	asked, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.address+"/cart?a=b", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	asked.Host = "shop.test:" + plainPort
	moved, err := http.DefaultTransport.RoundTrip(asked) // follows nothing
	if err != nil {
		t.Fatal(err)
	}
	_ = moved.Body.Close()
	if want := "https://shop.test:" + securePort + "/cart?a=b"; moved.StatusCode != 301 || moved.Header.Get("Location") != want {
		t.Errorf("got %d to %q, want 301 to %q", moved.StatusCode, moved.Header.Get("Location"), want)
	}
	client := http.Client{Transport: &http.Transport{
		TLSClientConfig: a.client(), DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", p.secure)
		},
	}}
	res, err := client.Get("https://shop.test/cart")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if string(body) != "127.0.0.1 https" {
		t.Errorf("got %q", body)
	}
	if list := p.do(t, "list"); !strings.Contains(list, "TLS") || !strings.Contains(list, "m") {
		t.Errorf("got list\n%s", list)
	}
	if got := p.status(t).Counters["upfront_tls_handshakes_total"]; got == 0 {
		t.Error("no handshake was counted")
	}
}

// What openssl sees of us: versions, suites, chain, resumption, renegotiation.
func TestTLS_asOpensslSeesIt(t *testing.T) {
	requireProgram(t, "openssl")
	p, a, dir := startSecure(t, proxyOptions{})
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	session := filepath.Join(dir, "session")
	const get = "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
	for _, c := range []struct {
		name string
		args []string
		want []string
		not  string
		ok   bool
	}{
		{"TLS 1.3", []string{"-tls1_3"}, []string{"Protocol  : TLSv1.3|New, TLSv1.3", "Verify return code: 0 (ok)", "127.0.0.1 https"}, "", true},
		{"TLS 1.2", []string{"-tls1_2"}, []string{"ECDHE", "GCM", "Secure Renegotiation IS supported", "127.0.0.1 https"}, "", true},
		{"TLS 1.1", []string{"-tls1_1", "-cipher", "ALL@SECLEVEL=0"}, nil, "127.0.0.1 https", false},
		{"static RSA", []string{"-tls1_2", "-cipher", "kRSA@SECLEVEL=0"}, nil, "127.0.0.1 https", false},
		{"a session to resume", []string{"-tls1_2", "-sess_out", session}, []string{"New, TLSv1.2"}, "", true},
		{"a resumed session", []string{"-tls1_2", "-sess_in", session}, []string{"Reused, TLSv1.2", "127.0.0.1 https"}, "", true},
		{"HTTP/1.1 by ALPN", []string{"-alpn", "http/1.1"}, []string{"ALPN protocol: http/1.1"}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"s_client", "-connect", p.secure, "-servername", "shop.test", "-CAfile", ca, "-ign_eof"}, c.args...)
			cmd := exec.CommandContext(t.Context(), "openssl", args...)
			cmd.Stdin = strings.NewReader(get)
			out, err := cmd.CombinedOutput()
			if c.ok && err != nil {
				t.Errorf("openssl: %v", err)
			}
			for _, want := range c.want {
				one, other, _ := strings.Cut(want, "|")
				if !strings.Contains(string(out), one) && (other == "" || !strings.Contains(string(out), other)) {
					t.Errorf("lacks %q:\n%s", want, out)
				}
			}
			if c.not != "" && strings.Contains(string(out), c.not) {
				t.Errorf("has %q:\n%s", c.not, out)
			}
		})
	}
}

func TestTLS_curlIsServed(t *testing.T) {
	requireProgram(t, "curl")
	p, _, _ := startSecure(t, proxyOptions{})
	_, port, _ := net.SplitHostPort(p.secure)
	status, out, stderr := run(t.Context(), t, "curl", "-skS", "--max-time", "20", "--http1.1",
		"--connect-to", "shop.test:443:127.0.0.1:"+port, "https://shop.test/")
	if status != 0 || out != "127.0.0.1 https" {
		t.Errorf("got %d, %q, %s", status, out, stderr)
	}
}

// HAProxy stands in front and says who the client is, in both versions; who may not say
// so is refused.
func TestProxyProtocol_behindHAProxy(t *testing.T) {
	haproxy := requireProgram(t, "haproxy")
	for _, c := range []struct{ name, networks, send, client string }{
		{"v1", "127.0.0.0/8", "send-proxy", "127.0.0.9 http"},
		{"v2", "127.0.0.0/8", "send-proxy-v2", "127.0.0.9 http"},
		{"v2 with TLVs", "127.0.0.0/8", "send-proxy-v2 proxy-v2-options crc32c,unique-id", "127.0.0.9 http"},
		{"from another network", "10.0.0.0/8", "send-proxy", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := shortFolder(t)
			config := filepath.Join(dir, "proxy.yml")
			listen := freeAddress(t)
			text := fmt.Sprintf("listeners:\n  http: {address: %q, proxy_protocol: [%s]}\nservices: {}\n", listen, c.networks)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			log := filepath.Join(dir, "access.log")
			p := startProxy(t, proxyOptions{config: config, http: "-", log: log})
			p.do(t, "deploy", "web", "--target", whoAsks(t), "--host", "shop.test")
			front := startHAProxy(t, haproxy, filepath.Join(dir, "haproxy.cfg"), listen, c.send)
			status, body := askVia(t, front)
			if c.client == "" {
				if status != 400 {
					t.Errorf("got %d, want 400", status)
				}
				return
			}
			if status != 200 || body != c.client {
				t.Errorf("got %d %q, want %q", status, body, c.client)
			}
			waitFor(t, 10*time.Second, "the line of the access log", func() bool {
				line, _ := os.ReadFile(log)
				return strings.Contains(string(line), `"client_addr":"127.0.0.9"`)
			})
		})
	}
}

// askVia asks for http://shop.test/ at front from 127.0.0.9, once it answers.
func askVia(t *testing.T, front string) (status int, body string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
		return dialer.DialContext(ctx, "tcp", front)
	}}}
	waitFor(t, 20*time.Second, "haproxy to answer", func() bool {
		res, err := client.Get("http://shop.test/")
		if err != nil {
			return false
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		status, body = res.StatusCode, string(text)
		return true
	})
	return status, body
}

// startHAProxy passes connections on to address, each with a PROXY header, and returns
// where it takes them.
func startHAProxy(t testing.TB, haproxy, file, address, send string) (front string) {
	t.Helper()
	front = freeAddress(t)
	text := fmt.Sprintf("defaults\n mode tcp\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n"+
		"listen x\n bind %s\n server u %s %s\n", front, address, send)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h := start(t, exec.Command(haproxy, "-db", "-f", file))
	h.drainStdout()
	return front
}
