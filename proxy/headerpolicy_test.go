package proxy

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"upfront/balancer"
	"upfront/service"
)

// What a service says of X-Forwarded-* holds where no trusted proxies are
// configured; where they are, it can only forbid.
func TestServer_forwardHeaders(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	others := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name          string
		proxies       []netip.Prefix
		always, never bool
		keeps         bool
	}{
		{"kept of nobody", nil, false, false, false},
		{"always", nil, true, false, true},
		{"never", nil, false, true, false},
		{"default, trusted", trusted, false, false, true},
		{"never, trusted", trusted, false, true, false},
		{"always, others trusted", others, true, false, false},
		{"always, trusted", trusted, true, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			heads := make(chan string, 1)
			target := scripted(t, func(head string, conn net.Conn, _ *bufio.Reader) {
				heads <- head
				_, _ = io.WriteString(conn, ok(""))
			})
			svc := newService(target.addr)
			svc.ForwardsAlways, svc.ForwardsNever = c.always, c.never
			r := newRig(t, Settings{TrustedProxies: c.proxies, KamalHeaders: true}, svc)
			w := r.wire()
			w.send("GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n" +
				"X-Real-IP: 6.6.6.6\r\nX-Request-Id: mine\r\nX-Request-Start: t=1\r\nX-Kamal-Target: outer:1\r\n\r\n")
			w.receive("GET")
			head := next(t, heads)
			want := []string{
				"X-Forwarded-For: 127.0.0.1\r", "X-Forwarded-Proto: http\r", "X-Kamal-Target: " + target.addr + "\r",
				"X-Request-Id: mine\r", "X-Request-Start: t=1\r",
			}
			never := []string{"6.6.6.6"}
			if c.keeps {
				want = []string{
					"X-Forwarded-For: 6.6.6.6, 127.0.0.1\r", "X-Forwarded-Proto: https\r", "X-Real-IP: 6.6.6.6\r",
					"X-Kamal-Target: outer:1, " + target.addr + "\r",
				}
				never = nil
			}
			wantLines(t, head, want, never)
			if n := strings.Count(head, "X-Kamal-Target"); n != 1 {
				t.Errorf("head names its target %d times:\n%s", n, head)
			}
		})
	}
}

func TestServer_clientIPHeader(t *testing.T) {
	others := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name    string
		proxies []netip.Prefix
		value   string
		want    string
	}{
		{"an address", nil, "9.9.9.9", "9.9.9.9, 127.0.0.1"},
		{"IPv6", nil, "2001:db8::1", "2001:db8::1, 127.0.0.1"},
		{"no address", nil, "9.9.9.9, 8.8.8.8", "127.0.0.1"},
		{"a peer that is not trusted", others, "9.9.9.9", "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			heads := make(chan string, 1)
			target := scripted(t, func(head string, conn net.Conn, _ *bufio.Reader) {
				heads <- head
				_, _ = io.WriteString(conn, ok(""))
			})
			svc := newService(target.addr)
			svc.ClientIPHeader = "cf-connecting-ip"
			r := newRig(t, Settings{TrustedProxies: c.proxies}, svc)
			w := r.wire()
			w.send("GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 6.6.6.6\r\nCF-Connecting-IP: " + c.value + "\r\n\r\n")
			w.receive("GET")
			wantLines(t, next(t, heads), []string{"X-Forwarded-For: " + c.want + "\r"}, nil)
			remote, _, _ := strings.Cut(c.want, ",")
			eventually(t, "the access log names the client", func() bool {
				return strings.Contains(r.log.String(), `"remote_addr":"`+remote+`"`)
			})
		})
	}
}

func TestServer_scopesTheCookiesOfAService(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"a=1", "a=1; Path=/api"},
		{"a=1; Path=/", "a=1; Path=/api"},
		{"a=1; path=/admin/; HttpOnly", "a=1; Path=/api/admin; HttpOnly"},
		{"a=1; Domain=app.test; Secure", "a=1; Path=/api; Domain=app.test; Secure"},
		{"a=1; Domain=.APP.test", "a=1; Path=/api; Domain=.APP.test"},
		{"a=1; Domain=other.test; Path=/", "a=1; Domain=other.test; Path=/"},
		{"__Host-a=1; Path=/; Secure", "__Host-a=1; Path=/; Secure"},
		{`a="x y"; Max-Age=5; Partitioned`, `a="x y"; Path=/api; Max-Age=5; Partitioned`},
	} {
		target := answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nset-cookie: "+c.set+"\r\n\r\n")
		svc := newService(target.addr)
		svc.StripPrefix, svc.ScopeCookiePaths = true, true
		r := newRigOf(t, Settings{}, svc, &fixedRoutes{svc: svc, prefix: "/api"})
		w := r.wire()
		w.send("GET /api/x HTTP/1.1\r\nHost: app.test:81\r\n\r\n")
		res, _ := w.receive("GET")
		if got := res.Header.Values("Set-Cookie"); len(got) != 1 || got[0] != c.want {
			t.Errorf("%q: got %q, want %q", c.set, got, c.want)
		}
	}
}

func TestServer_publishedHealth(t *testing.T) {
	svc := newService(answering(t, ok("app")).addr)
	routes := &fixedRoutes{svc: svc, prefix: "/"}
	r := newRigOf(t, Settings{}, svc, routes)
	live := &service.Service{Name: "web", Gate: service.NewGate(0), Pool: balancer.NewPool(nil, balancer.PoolOptions{})}
	r.server.published = func(name []byte) *service.Service {
		if string(name) == "web" {
			return live
		}
		return nil
	}
	ask := func(path string) (int, string) {
		w := r.wire()
		w.send("GET " + path + " HTTP/1.1\r\nHost: 10.1.2.3\r\nConnection: close\r\n\r\n")
		res, body := w.receive("GET")
		return res.StatusCode, body
	}
	if status, _ := ask("/.kamal-proxy/web/health"); status != 503 {
		t.Errorf("got %d while nobody serves, want 503", status)
	}
	live.Gate.Pause(0)
	if status, _ := ask("/.kamal-proxy/web/health"); status != 200 {
		t.Errorf("got %d while paused, want 200", status)
	}
	live.Gate.Resume()
	for _, path := range []string{"/.kamal-proxy/other/health", "/.kamal-proxy/web", "/.kamal-proxy/web/health/x"} {
		if status, body := ask(path); status != 200 || body != "app" {
			t.Errorf("%s: got %d %q, want the app's own answer", path, status, body)
		}
	}
}

func TestServer_countsNoRequestOfAnExcludedPath(t *testing.T) {
	svc := newService(answering(t, ok("")).addr)
	svc.StripPrefix, svc.UncountedPaths = true, []string{"/up"}
	r := newRigOf(t, Settings{}, svc, &fixedRoutes{svc: svc, prefix: "/api"})
	for _, path := range []string{"/api/up", "/api/up?x=1", "/api/down"} {
		w := r.wire()
		w.send("GET " + path + " HTTP/1.1\r\nHost: app.test\r\n\r\n")
		w.receive("GET")
	}
	eventually(t, "one request is counted", func() bool { return r.server.Counters()["upfront_requests_2xx_total"] == 1 })
}
