package proxy

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
)

// shown returns the head that the target gets for a request with fields.
func shown(t *testing.T, settings Settings, fields string) (head string, r *rig) {
	t.Helper()
	heads := make(chan string, 1)
	target := scripted(t, func(head string, c net.Conn, _ *bufio.Reader) {
		heads <- head
		_, _ = io.WriteString(c, ok(""))
	})
	r = newRig(t, settings, newService(target.addr))
	w := r.wire()
	w.send("GET /a HTTP/1.1\r\nHost: app.test:81\r\n" + fields + "\r\n")
	if res, _ := w.receive("GET"); res.StatusCode != 200 {
		t.Fatalf("got %d", res.StatusCode)
	}
	return next(t, heads), r
}

// wantLines checks that head begins lines as want says, has nothing of never, and
// has each field that we write once.
func wantLines(t *testing.T, head string, want, never []string) {
	t.Helper()
	for _, line := range want {
		if !strings.Contains(head, "\r\n"+line) {
			t.Errorf("head lacks %q:\n%s", line, head)
		}
	}
	for _, text := range never {
		if strings.Contains(head, text) {
			t.Errorf("head has %q:\n%s", text, head)
		}
	}
	for _, name := range []string{"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-request-id", "x-request-start", "host"} {
		if n := strings.Count(strings.ToLower(head), "\r\n"+name+":"); n != 1 {
			t.Errorf("head has %d lines of %s:\n%s", n, name, head)
		}
	}
}

func TestServer_saysWhoTheClientIs(t *testing.T) {
	trusting := Settings{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}}
	spoof := "X-Forwarded-For: 6.6.6.6\r\nx-forwarded-proto: https\r\nX-FORWARDED-HOST: evil\r\nX-Forwarded-Port: 1\r\n" +
		"X-Forwarded-Server: evil\r\nX-Forwarded-Prefix: /evil\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n" +
		"X-Request-Id: mine\r\nX-Request-Start: t=1\r\n"
	for _, c := range []struct {
		name     string
		settings Settings
		fields   string
		want     []string // lines, at least
		never    []string
	}{
		{"nothing said", Settings{}, "", []string{
			"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: app.test:81", "X-Forwarded-Port: ",
		}, nil},
		{"spoofed", Settings{}, spoof, []string{
			"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: app.test:81",
		}, []string{"6.6.6.6", "https", "evil", "mine", "t=1\r"}},
		{
			"spoofed with underscores",
			Settings{},
			"X_Forwarded_For: 6.6.6.6\r\nX_Real-IP: 6.6.6.6\r\nX-Forwarded_Proto: https\r\nX.Forwarded.For: 6.6.6.6\r\n",
			[]string{"X-Forwarded-For: 127.0.0.1"},
			[]string{"6.6.6.6", "https", "_"},
		},
		{"httpoxy", Settings{}, "Proxy: http://evil\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: x\r\n", nil, []string{"evil", "Proxy"}},
		{"cut by Connection", Settings{}, "Connection: X-Forwarded-For, Host, X-Request-Id, X-Mine\r\nX-Mine: 1\r\n", []string{
			"X-Forwarded-For: 127.0.0.1", "Host: app.test:81", "X-Request-Id: ",
		}, []string{"X-Mine", "Connection"}},
		{"trusted", trusting, spoof, []string{
			"X-Forwarded-For: 6.6.6.6, 127.0.0.1", "x-forwarded-proto: https", "X-FORWARDED-HOST: evil", "X-Forwarded-Port: 1",
			"X-Request-Id: mine", "X-Request-Start: t=1",
		}, []string{"X-Forwarded-Proto: http\r"}},
		{
			"trusted, two lines", trusting, "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 10.1.1.1, 7.7.7.7\r\n",
			[]string{"X-Forwarded-For: 6.6.6.6, 10.1.1.1, 7.7.7.7, 127.0.0.1"},
			nil,
		},
		{"trusted, nothing said", trusting, "", []string{
			"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: app.test:81", "X-Forwarded-Port: ",
		}, nil},
		{
			"trusted, cut by Connection", trusting, "Connection: X-Forwarded-For\r\nX-Forwarded-For: 6.6.6.6\r\n",
			[]string{"X-Forwarded-For: 6.6.6.6, 127.0.0.1"},
			nil,
		},
		{"trusted, id that could harm a log", trusting, "X-Request-Id: a\"b\r\n", nil, []string{"a\"b"}},
		{"trusted, endless id", trusting, "X-Request-Id: " + strings.Repeat("x", 65) + "\r\n", nil, []string{"xxxxx"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			head, _ := shown(t, c.settings, c.fields)
			wantLines(t, head, c.want, c.never)
		})
	}
}

func TestServer_namesEachRequest(t *testing.T) {
	uuid := regexp.MustCompile(`X-Request-Id: ([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})\r\n`)
	seen := map[string]bool{}
	for range 3 {
		head, r := shown(t, Settings{}, "")
		match := uuid.FindStringSubmatch(head)
		if match == nil || seen[match[1]] {
			t.Fatalf("no id, or one seen before:\n%s", head)
		}
		seen[match[1]] = true
		if !regexp.MustCompile(`X-Request-Start: t=\d{13}\r\n`).MatchString(head) {
			t.Errorf("no start:\n%s", head)
		}
		eventually(t, "the line is written", func() bool { return strings.Contains(r.log.String(), match[1]) })
	}
}

func TestRequestID_make_isAlwaysWellFormed(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	for range 1000 {
		var id requestID
		id.make()
		if !form.Match(id.bytes()) {
			t.Fatalf("got %q", id.bytes())
		}
	}
}

func TestServer_stripsThePrefix(t *testing.T) {
	for _, c := range []struct{ target, prefix, want string }{
		{"/app/x?q=/app", "/app", "/x?q=/app"},
		{"/app", "/app", "/"},
		{"/app/", "/app", "/"},
		{"/app?q", "/app", "/?q"},
		{"/app/a%2Fb", "/app", "/a%2Fb"},
		{"http://app.test/app/x", "/app", "/x"},
		{"/x", "/", "/x"},
		{"*", "/", "*"},
	} {
		heads := make(chan string, 1)
		target := scripted(t, func(head string, c net.Conn, _ *bufio.Reader) {
			heads <- head
			_, _ = io.WriteString(c, ok(""))
		})
		svc := newService(target.addr)
		svc.StripPrefix = true
		r := newRigOf(t, Settings{}, svc, &fixedRoutes{svc: svc, prefix: c.prefix})
		w := r.wire()
		w.send("OPTIONS " + c.target + " HTTP/1.1\r\nHost: b.test\r\n\r\n")
		w.receive("OPTIONS")
		head := next(t, heads)
		if !strings.HasPrefix(head, "OPTIONS "+c.want+" HTTP/1.1\r\n") {
			t.Errorf("%s below %s: got %q", c.target, c.prefix, head)
		}
		wantHost := "b.test"
		if strings.HasPrefix(c.target, "http:") {
			wantHost = "app.test"
		}
		if !strings.Contains(head, "\r\nHost: "+wantHost+"\r\n") || strings.Count(head, "\r\nHost: ") != 1 {
			t.Errorf("%s: got head %q", c.target, head)
		}
	}
}
