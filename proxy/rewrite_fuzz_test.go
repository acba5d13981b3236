package proxy

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"upfront/balancer"
	"upfront/proxy/http1"
	"upfront/service"
)

// wide is more than any head that is rewritten within narrow can become.
var (
	narrow = http1.Limits{Bytes: 4 << 10, Fields: 100}
	wide   = http1.Limits{Bytes: 16 << 10, Fields: 200}
)

// rewriting is an exchange that is ready to write heads.
func rewriting(trusted bool) *exchange {
	settings := &Settings{}
	if trusted {
		settings.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	}
	c := &client{server: &Server{}, workspace: &workspace{}}
	c.addr, c.port = netip.MustParseAddrPort("192.0.2.9:4000"), "80"
	c.req.Reset()
	c.res.Reset()
	return &exchange{
		c: c, settings: settings, svc: &service.Service{}, prefix: "/",
		target: balancer.NewTarget(balancer.TargetOptions{Address: "192.0.2.1:3000"}),
	}
}

func FuzzExchange_appendRequestHead(f *testing.F) {
	for _, fields := range []string{
		"", "Connection: X-A, close\r\nX-A: 1\r\nX-B: 2\r\n", "Content-Length: 5\r\nExpect: 100-continue\r\n",
		"Transfer-Encoding: chunked\r\nTrailer: X\r\nTE: trailers\r\nConnection: TE\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n", "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: a\r\n",
		"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nX-Request-Id: a\r\nX-Request-Start: t=1\r\n",
		"X_A: 1\r\nContent--Length: 5\r\nProxy: a\r\nKeep-Alive: 5\r\nProxy-Authorization: a\r\n",
	} {
		f.Add([]byte("GET /a/b?c HTTP/1.1\r\nHost: a\r\n"+fields+"\r\n"), false, true)
		f.Add([]byte("GET http://b:1?c HTTP/1.1\r\n"+fields+"Host: a\r\n\r\n"), true, false)
		f.Add([]byte("OPTIONS * HTTP/1.0\r\n\r\n"), true, true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, trusted, strip bool) {
		x := rewriting(trusted)
		req := &x.c.req
		if done, err := req.Scan(raw, narrow); !done || err != nil {
			return
		}
		if strip {
			x.svc.StripPrefix = true
			x.prefix = firstSegment(string(req.Path))
		}
		x.identify()
		want := keptFields(req.Fields(), req.Name, req.Value)
		host, target := string(req.Host), string(req.Target)
		x.conn = NewTransport(x.target.Address(), nil).(*transport).newConn()
		head := x.appendRequestHead(nil)
		var again http1.Request
		again.Reset()
		done, err := again.Scan(head, wide)
		if !done || err != nil || again.Len() != len(head) {
			t.Fatalf("%q became %q, of which %d bytes are a head: %t, %v", raw, head, again.Len(), done, err)
		}
		if host == "" {
			host = x.target.Address()
		}
		if strip && target != "*" && x.prefix != "/" {
			target = strings.TrimPrefix(target, x.prefix)
			if !strings.HasPrefix(target, "/") {
				target = "/" + target
			}
		}
		if string(again.Method) != string(req.Method) || string(again.Target) != target || string(again.Host) != host || again.Minor != 1 || again.Absolute {
			t.Errorf("%q became %q", raw, head)
		}
		if again.ContentLength() != req.ContentLength() || again.Chunked() != req.Chunked() || again.Continue != req.Continue ||
			again.WebSocket != req.WebSocket || again.Trailers != (req.Trailers && !req.WebSocket) {
			t.Errorf("%q became %q, which is framed or asks otherwise", raw, head)
		}
		if got := keptFields(again.Fields(), again.Name, again.Value); got != want {
			t.Errorf("%q became %q:\ngot  %s\nwant %s", raw, head, got, want)
		}
		saysOnlyOurs(t, x, &again, host, trusted)
	})
}

// firstSegment is the prefix that a route for the first segment of path has.
func firstSegment(path string) string {
	if n := strings.IndexByte(path[1:], '/'); n >= 0 {
		return path[:n+1]
	}
	return path
}

// keptFields is what goes from one side to the other as it came.
func keptFields(fields []http1.Field, name, value func(*http1.Field) []byte) string {
	var b strings.Builder
	for i := range fields {
		f := &fields[i]
		switch f.Kind {
		case http1.Other, http1.Trailer, http1.UserAgent, http1.ContentType, http1.SecWebSocketKey:
			if !f.Cut {
				b.Write(name(f))
				b.WriteString(": ")
				b.Write(value(f))
				b.WriteString("\n")
			}
		}
	}
	return b.String()
}

// saysOnlyOurs checks that nothing hop-by-hop is left in a head to the target, and
// that who the client is was not said by an untrusted one.
func saysOnlyOurs(t *testing.T, x *exchange, head *http1.Request, host string, trusted bool) {
	t.Helper()
	said := map[http1.Kind][]string{}
	for i := range head.Fields() {
		f := &head.Fields()[i]
		said[f.Kind] = append(said[f.Kind], string(head.Value(f)))
	}
	for kind, allowed := range map[http1.Kind]string{
		http1.HopByHop: "", http1.Ambiguous: "", http1.Connection: "Upgrade|TE", http1.Upgrade: "websocket", http1.TE: "trailers",
		http1.Expect: "100-continue", http1.TransferEncoding: "chunked",
	} {
		if got := said[kind]; len(got) > 1 || len(got) == 1 && (got[0] == "" || !strings.Contains("|"+allowed+"|", "|"+got[0]+"|")) {
			t.Errorf("passes on %q for kind %d", got, kind)
		}
	}
	if n := len(said[http1.ForwardedFor]); n != 1 || !strings.HasSuffix(said[http1.ForwardedFor][0], "192.0.2.9") {
		t.Errorf("got X-Forwarded-For %q", said[http1.ForwardedFor])
	}
	if got := said[http1.RequestID]; len(got) != 1 || got[0] != string(x.id.bytes()) {
		t.Errorf("got X-Request-Id %q", got)
	}
	if trusted {
		return
	}
	if len(x.c.req.Host) == 0 {
		host = "" // HTTP/1.0 without one: there is nothing to say
	}
	for kind, want := range map[http1.Kind]string{
		http1.ForwardedFor: "192.0.2.9", http1.ForwardedProto: "http", http1.ForwardedPort: "80",
		http1.ForwardedHost: host, http1.ForwardedOther: "", http1.RequestStart: "t=-62135596800000",
	} {
		if got := strings.Join(said[kind], "|"); got != want {
			t.Errorf("kind %d: says %q, want %q", kind, got, want)
		}
	}
}

func FuzzExchange_appendResponseHead(f *testing.F) {
	for i, fields := range []string{
		"", "Content-Length: 5\r\nConnection: X-A\r\nX-A: 1\r\nX-B: 2\r\n", "Transfer-Encoding: chunked\r\nTrailer: X\r\nConnection: close\r\n",
		"Keep-Alive: 5\r\nConnection: keep-alive\r\nProxy-Authenticate: a\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nX_A: b\r\n",
		"Upgrade: h2c\r\nConnection: Upgrade\r\nTE: a\r\n",
	} {
		for _, line := range []string{"HTTP/1.1 200 OK", "HTTP/1.0 404", "HTTP/1.1 204 None", "HTTP/1.1 304 Not \xff", "HTTP/1.1 103 Early"} {
			f.Add([]byte(line+"\r\n"+fields+"\r\n"), i%2 == 0, i%3 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, old, toHead bool) {
		x := rewriting(false)
		res := &x.c.res
		if done, err := res.Scan(raw, narrow); !done || err != nil || res.Status < 200 {
			return
		}
		x.c.req.Minor = 1
		if old {
			x.c.req.Minor = 0
		}
		body := res.Body(toHead)
		stream := body == http1.Chunked || body == http1.UntilClose
		x.close = stream && old
		if stream {
			body = map[bool]http1.Body{true: http1.UntilClose, false: http1.Chunked}[old]
		}
		want := keptResponseFields(res)
		dated := res.Dated
		head := x.appendResponseHead(nil, stream && !old)
		var again http1.Response
		again.Reset()
		done, err := again.Scan(head, wide)
		if !done || err != nil || again.Len() != len(head) {
			t.Fatalf("%q became %q, of which %d bytes are a head: %t, %v", raw, head, again.Len(), done, err)
		}
		if again.Status != res.Status || !bytes.Equal(again.Reason, res.Reason) || again.Minor != 1 || again.KeepAlive() == x.close {
			t.Errorf("%q became %q", raw, head)
		}
		if again.ContentLength() != res.ContentLength() || again.Body(toHead) != body {
			t.Errorf("%q became %q, which is framed otherwise", raw, head)
		}
		got := keptResponseFields(&again)
		if i := strings.LastIndex(got, "Date: "); !dated && i >= 0 {
			got = got[:i] // ours, behind all of the target's
		}
		if !again.Dated || got != want {
			t.Errorf("%q became %q:\ngot  %s\nwant %s", raw, head, got, want)
		}
		for i := range again.Fields() {
			switch f := &again.Fields()[i]; f.Kind {
			case http1.HopByHop, http1.Upgrade, http1.TE:
				t.Errorf("%q became %q, which passes on %q", raw, head, again.Name(f))
			}
		}
	})
}

// keptResponseFields is keptFields for a response, where names that a request may
// not use mean nothing.
func keptResponseFields(res *http1.Response) string {
	var b strings.Builder
	for i := range res.Fields() {
		f := &res.Fields()[i]
		if keepFromTarget[f.Kind] && !f.Cut {
			b.Write(res.Name(f))
			b.WriteString(": ")
			b.Write(res.Value(f))
			b.WriteString("\n")
		}
	}
	return b.String()
}
