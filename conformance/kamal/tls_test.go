package kamal

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// identity is a certificate of its own authority, with its key, both in PEM.
type identity struct {
	certificate, key []byte
	roots            *x509.CertPool
}

func newIdentity(t *testing.T, name string) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(80 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &about, &about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	id := identity{
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:         pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}),
		roots:       x509.NewCertPool(),
	}
	id.roots.AppendCertsFromPEM(id.certificate)
	return id
}

// write puts the parts in files, as Kamal does with custom certificates.
func (id identity) write(t *testing.T, folder string) (certificate, key string) {
	t.Helper()
	certificate, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	writeFile(t, certificate, id.certificate)
	writeFile(t, key, id.key)
	return certificate, key
}

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// askSecure makes one request over TLS, in the version of HTTP that proto is for.
func (p *proxy) askSecure(id identity, proto, url string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", p.secure)
		},
		TLSClientConfig: &tls.Config{RootCAs: id.roots}, DisableKeepAlives: true, Protocols: new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(proto == "HTTP/1.1")
	transport.Protocols.SetHTTP2(proto == "HTTP/2.0")
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := transport.RoundTrip(r)
	if err == nil {
		_ = res.Body.Close()
	}
	return res, err
}

// wantSecure checks that the host is served over TLS, in both versions of HTTP.
func (p *proxy) wantSecure(id identity, host string) {
	p.t.Helper()
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		res, err := p.askSecure(id, proto, "https://"+host+"/x")
		if err != nil {
			p.t.Errorf("%s: %v", proto, err)
		} else if res.StatusCode != 200 || res.Proto != proto {
			p.t.Errorf("%s: got %d in %s, want 200", proto, res.StatusCode, res.Proto)
		}
	}
}

func (p *proxy) wantRedirect(host, path, location string) {
	p.t.Helper()
	if got := p.want(host, path, 301).header.Get("Location"); got != location {
		p.t.Errorf("%s%s: redirected to %q, want %q", host, path, got, location)
	}
}

func TestBehaviour_customCertificate(t *testing.T) {
	p := startProxy(t)
	app, id := startTarget(t, "app", nil), newIdentity(t, "a.test")
	certificate, key := id.write(t, p.home)
	flags := []string{"--host", "a.test", "--tls", "--tls-certificate-path", certificate, "--tls-private-key-path", key}
	p.deploy("web", app.address, flags...)
	p.deploy("plain", startTarget(t, "plain", nil).address, "--host", "b.test")
	look := func() {
		t.Helper()
		p.wantSecure(id, "a.test")
		if got := app.last(t).Header.Get("X-Forwarded-Proto"); got != "https" {
			t.Errorf("the target is told of %q, want https", got)
		}
		p.wantRedirect("a.test", "/x?y=1", "https://a.test/x?y=1")
		p.want("b.test", "/", 200)
		if list := p.try("list").stdout; !strings.Contains(list, "\x1b[myes\x1b[0m") {
			t.Errorf("list does not say that there is TLS:\n%s", list)
		}
	}
	look()
	p.restart()
	look()
	p.deploy("web", app.address, append(flags, "--tls-redirect=false")...)
	p.want("a.test", "/x", 200)
	p.wantSecure(id, "a.test")
	missing := p.try("deploy", "web", "--target", app.address, "--host", "a.test", "--tls",
		"--tls-certificate-path", certificate+"x", "--tls-private-key-path", key)
	if missing.status != 1 || !strings.HasPrefix(missing.stderr, "Error: unable to load certificate") {
		t.Errorf("got %+v, want that the certificate cannot be loaded", missing)
	}
	p.wantSecure(id, "a.test")
}

func TestBehaviour_canonicalHost(t *testing.T) {
	p := startProxy(t)
	p.deploy("web", startTarget(t, "app", nil).address, "--host", "a.test", "--host", "www.a.test", "--canonical-host", "a.test")
	p.want("a.test", "/x", 200)
	p.wantRedirect("www.a.test", "/x?y=1", "http://a.test/x?y=1")
}

// The state and the certificates of a proxy that ran before: kamal-proxy's.
func TestBehaviour_takesOverCertificates(t *testing.T) {
	custom, automatic := newIdentity(t, "a.test"), newIdentity(t, "b.test")
	app := startTarget(t, "app", nil)
	p := startProxyIn(t, func(home string) {
		certificate, key := custom.write(t, home)
		folder := filepath.Join(home, ".config", "kamal-proxy")
		// Without --tls-staging the directory is empty, and so is what its folder is named after.
		none := sha256.Sum256(nil)
		cache := filepath.Join(folder, "certs")
		writeFile(t, filepath.Join(cache, hex.EncodeToString(none[:]), "b.test"), append(automatic.key, automatic.certificate...))
		writeFile(t, filepath.Join(folder, "kamal-proxy.state"), []byte(`[`+
			kamalEntry("custom", app, `"hosts":["a.test"],"path_prefixes":["/"],"tls_certificate_path":"`+certificate+`","tls_private_key_path":"`+key+`"`)+`,`+
			kamalEntry("automatic", app, `"hosts":["b.test"],"path_prefixes":["/"],"acme_cache_path":"`+cache+`"`)+`,`+
			kamalEntry("api", app, `"hosts":["b.test"],"path_prefixes":["/api"],"acme_cache_path":"`+cache+`"`)+`]`))
	})
	p.wantSecure(custom, "a.test")
	p.wantSecure(automatic, "b.test")
	p.wantRedirect("a.test", "/x", "https://a.test/x")
	p.wantRedirect("b.test", "/api/x", "https://b.test/api/x")
}

// kamalEntry is a service with TLS in kamal-proxy's state.
func kamalEntry(name string, app *target, options string) string {
	return `{"name":"` + name + `","options":{` + options + `,"tls_enabled":true,"tls_redirect":true,"strip_prefix":true},` +
		`"target_options":{"health_check_config":{"path":"/up","port":0,"interval":1000000000,"timeout":5000000000,"host":""},"response_timeout":30000000000},` +
		`"active_targets":["` + app.address + `"],"active_readers":[],"rollout_targets":null,"rollout_readers":null,` +
		`"pause_controller":{"state":0,"stop_message":"","fail_after":0},"rollout_controller":null}`
}
