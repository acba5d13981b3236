package proxy

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"upfront/service"
)

func TestRedirect(t *testing.T) {
	target := httpTarget(t, func(http.ResponseWriter, *http.Request) {})
	for _, c := range []struct {
		name             string
		redirect         bool
		canonical, https string // port of the https listener; "" is 443
		trusted          bool
		raw              string // {port} is that of the listener
		status           int
		location         string
	}{
		{name: "to https", redirect: true, raw: "GET /a?b=c#d HTTP/1.1\r\nHost: a\r\n\r\n", status: 400},
		{name: "to https, as it was asked", redirect: true, raw: "GET /a//%2F;x?b=c&&%zz HTTP/1.1\r\nHost: a\r\n\r\n", status: 301, location: "https://a/a//%2F;x?b=c&&%zz"},
		{name: "a HEAD", redirect: true, raw: "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", status: 301, location: "https://a/"},
		{name: "a POST, whose method stays", redirect: true, raw: "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", status: 308, location: "https://a/x"},
		{name: "a body that has not come", redirect: true, raw: "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", status: 308, location: "https://a/x"},
		{name: "an absolute target", redirect: true, raw: "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", status: 301, location: "https://a/x"},
		{name: "our port to the other one of ours", redirect: true, https: "8443", raw: "GET / HTTP/1.1\r\nHost: a:{port}\r\n\r\n", status: 301, location: "https://a:8443/"},
		{name: "our port to 443", redirect: true, raw: "GET / HTTP/1.1\r\nHost: a:{port}\r\n\r\n", status: 301, location: "https://a/"},
		{name: "a port that is mapped", redirect: true, https: "8443", raw: "GET / HTTP/1.1\r\nHost: a:99\r\n\r\n", status: 301, location: "https://a/"},
		{name: "an IPv6 host", redirect: true, raw: "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", status: 301, location: "https://[::1]/"},
		{name: "nobody without a host", redirect: true, raw: "GET / HTTP/1.0\r\n\r\n", status: 403},
		{name: "to the canonical host", canonical: "b", raw: "GET /x HTTP/1.1\r\nHost: A:99\r\n\r\n", status: 301, location: "http://b:99/x"},
		{name: "to both at once", redirect: true, canonical: "b", raw: "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", status: 301, location: "https://b/x"},
		{name: "the canonical host stays", canonical: "a", raw: "GET /x HTTP/1.1\r\nHost: A.:99\r\n\r\n", status: 200},
		{name: "ACME stays", redirect: true, canonical: "b", raw: "GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: a\r\n\r\n", status: 200},
		{name: "the health check stays", redirect: true, canonical: "b", raw: "GET /up?x HTTP/1.1\r\nHost: a\r\n\r\n", status: 200},
		{name: "a POST to it does not", redirect: true, raw: "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", status: 308, location: "https://a/up"},
		{name: "a trusted proxy ended TLS", redirect: true, trusted: true, raw: "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: HTTPS, http\r\n\r\n", status: 200},
		{name: "a trusted proxy did not", redirect: true, trusted: true, raw: "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: http\r\n\r\n", status: 301, location: "https://a/"},
		{name: "anybody says so", redirect: true, raw: "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n", status: 301, location: "https://a/"},
		{name: "the canonical host behind a trusted proxy", redirect: true, canonical: "b", trusted: true, raw: "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n", status: 301, location: "https://b/"},
		{name: "off", raw: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", status: 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc := newService(target)
			svc.TLS, svc.CanonicalHost, svc.HealthPaths = &service.TLS{Redirect: c.redirect}, c.canonical, []string{"/up"}
			settings, options := Settings{}, ListenerOptions{}
			if c.trusted {
				settings.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			}
			if c.https != "" {
				options.HTTPSPort = 8443
			}
			r := newRigWith(t, settings, svc, &fixedRoutes{svc: svc, prefix: "/"}, options)
			_, port, _ := net.SplitHostPort(r.addr)
			method, _, _ := strings.Cut(c.raw, " ")
			res := r.ask(strings.ReplaceAll(c.raw, "{port}", port), method)
			if res.StatusCode != c.status || res.Header.Get("Location") != c.location {
				t.Errorf("got %d to %q, want %d to %q", res.StatusCode, res.Header.Get("Location"), c.status, c.location)
			}
		})
	}
}

// What belongs to a path below a host is reached as the host is.
func TestRedirect_holdsForServicesBelow(t *testing.T) {
	root, below := newService("127.0.0.1:1"), newService("127.0.0.1:1")
	root.TLS = &service.TLS{Redirect: true}
	r := newRigOf(t, Settings{}, nil, hostRoutes{"a": root, "a/api": below})
	if res := r.ask("GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n", "GET"); res.StatusCode != 301 || res.Header.Get("Location") != "https://a/api/x" {
		t.Errorf("got %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
}

func TestHSTS_isSaidOverTLSOnly(t *testing.T) {
	const header = "Strict-Transport-Security"
	target := httpTarget(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/own" {
			w.Header().Set(header, "max-age=1")
		}
	})
	svc := newService(target)
	svc.TLS = &service.TLS{HSTS: "max-age=31536000"}
	plain := newRig(t, Settings{}, svc)
	if res, _ := plain.get(); res.Header.Get(header) != "" {
		t.Errorf("plain: got %q", res.Header.Get(header))
	}
	other := newService(target)
	other.TLS = svc.TLS
	r, _ := newTLSRig(t, Settings{}, other, "a")
	for path, want := range map[string]string{"/": "max-age=31536000", "/own": "max-age=1"} {
		res := r.ask("GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n", "GET")
		if got := strings.Join(res.Header.Values(header), "|"); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestMisdirected(t *testing.T) {
	target := httpTarget(t, func(http.ResponseWriter, *http.Request) {})
	site := func(tls *service.TLS, name string) *service.Service {
		svc := newService(target)
		svc.Name, svc.TLS = name, tls
		t.Cleanup(svc.Pool.Targets()[0].Close)
		return svc
	}
	clients := newAuthority(t)
	guarded := &service.TLS{ClientCA: authorityFile(t, clients)}
	one := site(&service.TLS{}, "one")
	routes := hostRoutes{
		"a.test": one, "also.test": one,
		"b.test": site(&service.TLS{}, "two"), "same.test": site(&service.TLS{}, "three"),
		"plain.test": site(nil, "four"), "guarded.test": site(guarded, "five"), "guarded.test/api": site(nil, "six"),
	}
	a := newAuthority(t)
	r := newRigWith(t, Settings{}, nil, routes, ListenerOptions{TLS: only(a.issue("a.test", "same.test", "guarded.test", "plain.test"))})
	for _, c := range []struct {
		sni, host, path string
		want            int
	}{
		{"a.test", "a.test", "/", 200},
		{"a.test", "A.test:443", "/", 200},
		{"a.test", "also.test", "/", 200},
		{"a.test", "same.test", "/", 200},
		{"a.test", "b.test", "/", 421},
		{"a.test", "plain.test", "/", 200},
		{"plain.test", "b.test", "/", 200},
		{"a.test", "guarded.test", "/", 421},
		{"a.test", "guarded.test", "/api", 421},
		{"", "guarded.test", "/", 421},
		{"", "a.test", "/", 200},
		{"guarded.test", "guarded.test", "/", 200},
		{"guarded.test", "guarded.test", "/api", 200},
		{"guarded.test", "a.test", "/", 200},
	} {
		r.client = &tls.Config{RootCAs: a.pool, ServerName: c.sni, Certificates: []tls.Certificate{clients.issue("c")}, MinVersion: tls.VersionTLS12}
		if c.sni == "" {
			r.client.InsecureSkipVerify = true
		}
		res := r.ask("GET "+c.path+" HTTP/1.1\r\nHost: "+c.host+"\r\nConnection: close\r\n\r\n", "GET")
		if res.StatusCode != c.want {
			t.Errorf("a connection for %q, asked for %s%s: got %d, want %d", c.sni, c.host, c.path, res.StatusCode, c.want)
		}
	}
}

// A certificate of the client cannot be had over plain HTTP.
func TestClientCA_letsNobodyInOverPlainHTTP(t *testing.T) {
	svc := newService(httpTarget(t, func(http.ResponseWriter, *http.Request) {}))
	svc.TLS, svc.HealthPaths = &service.TLS{ClientCA: authorityFile(t, newAuthority(t))}, []string{"/up"}
	r := newRig(t, Settings{}, svc)
	for path, want := range map[string]int{"/": 403, "/up": 200} {
		if res := r.ask("GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n", "GET"); res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, res.StatusCode, want)
		}
	}
}
