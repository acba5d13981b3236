package proxy

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"upfront/balancer"
	"upfront/service"
)

// exchangeOf is an exchange that got the head, as it is when its line is written.
func exchangeOf(tb testing.TB, head string) *exchange {
	tb.Helper()
	server := New(Options{})
	c := &client{server: server, connInfo: connInfo{addr: netip.MustParseAddrPort("192.0.2.7:49152"), port: "8080"}}
	c.workspace = &workspace{in: []byte(head), out: make([]byte, 0, outBuffer)}
	c.have = len(head)
	c.x.begin(c)
	c.req.Reset()
	if _, bad := c.req.Scan(c.in, server.settings.Load().headLimits()); bad == nil {
		c.read = c.req.Len()
	}
	x := &c.x
	x.identify()
	return x
}

// answered makes x an exchange that a target has answered.
func (x *exchange) answered(status int, contentType string) *exchange {
	x.svc = &service.Service{Name: "web"}
	x.last = balancer.NewTarget(balancer.TargetOptions{Address: "web-v2:3000"})
	x.status, x.sent = status, 1234
	x.contentTypeLen = copy(x.contentType[:], contentType)
	return x
}

const browser = "GET /articles/42?page=2&sort=new HTTP/1.1\r\nHost: app.example.com\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nCookie: session=0123456789abcdef\r\n\r\n"

// The line is a promise to whoever parses it.
func TestAccessLog_line(t *testing.T) {
	x := exchangeOf(t, browser).answered(200, "text/html; charset=utf-8")
	x.id.n = copy(x.id.text[:], "0b0e4a2e-68b4-4a9c-8d8e-6f1d2c3b4a59")
	now := time.Date(2026, 7, 31, 8, 5, 9, 120_340_000, time.FixedZone("", 2*3600))
	x.start = now.Add(-1500 * time.Microsecond)
	got := string(NewAccessLog(io.Discard, nil).appendLine(nil, x, now))
	const want = `{"level":"INFO","time":"2026-07-31T08:05:09.12034+02:00","msg":"Request","host":"app.example.com","port":"8080",` +
		`"path":"/articles/42","request_id":"0b0e4a2e-68b4-4a9c-8d8e-6f1d2c3b4a59","status":200,"service":"web","target":"web-v2:3000",` +
		`"duration":1500000,"method":"GET","req_content_length":0,"req_content_type":"","resp_content_length":1234,` +
		`"resp_content_type":"text/html; charset=utf-8","client_addr":"192.0.2.7","client_port":"49152","remote_addr":"192.0.2.7",` +
		`"user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",` +
		`"proto":"HTTP/1.1","scheme":"http","query":"page=2&sort=new"}` + "\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// zapLine is the line as zap wrote it, before we did.
func zapLine(tb testing.TB, x *exchange, now time.Time) string {
	tb.Helper()
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey: "time", LevelKey: "level", MessageKey: "msg",
		EncodeTime: zapcore.RFC3339NanoTimeEncoder, EncodeLevel: zapcore.CapitalLevelEncoder, EncodeDuration: zapcore.NanosDurationEncoder,
	})
	c, req := x.c, &x.c.req
	host := string(req.Host)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	seen := x.headersOfNote()
	fields := []zapcore.Field{
		zap.String("host", host), zap.String("port", c.port), zap.ByteString("path", req.Path), zap.ByteString("request_id", x.id.bytes()),
		zap.Int("status", x.status), zap.String("service", x.serviceName()), zap.String("target", x.lastAddress()),
		zap.Duration("duration", now.Sub(x.start)), zap.ByteString("method", req.Method),
		zap.Int64("req_content_length", max(req.ContentLength(), 0)), zap.String("req_content_type", seen.requestType),
		zap.Int64("resp_content_length", x.sent), zap.String("resp_content_type", seen.responseType),
		zap.Stringer("client_addr", c.addr.Addr()), zap.Int("client_port", int(c.addr.Port())),
		zap.Stringer("remote_addr", x.remoteAddr()), zap.String("user_agent", seen.userAgent),
		zap.String("proto", protos[req.Minor]), zap.String("scheme", "http"), zap.String("query", query(req)),
	}
	if x.err != nil {
		fields = append(fields, zap.String("error", x.err.Error()))
	}
	line, err := encoder.EncodeEntry(zapcore.Entry{Level: zapcore.InfoLevel, Time: now, Message: "Request"}, fields)
	if err != nil {
		tb.Fatal(err)
	}
	text := line.String()
	port := `"client_port":`
	from := strings.Index(text, port) + len(port)
	to := from + strings.IndexByte(text[from:], ',')
	return text[:from] + `"` + text[from:to] + `"` + text[to:]
}

func FuzzAccessLog_line(f *testing.F) {
	f.Add(browser, int64(1_785_000_000_120_340_000), "text/html")
	f.Add("POST http://[::1]:80/x%00?\"\\ HTTP/1.0\r\nHost: b:1\r\nContent-Length: 3\r\nContent-Type: a\"b\r\n\r\nabc", int64(0), "\xff\t")
	f.Add("nothing like it", int64(1_000_000_000), "")
	f.Add("GET / HTTP/1.1\r\nHost: a:b:c\r\nUser-Agent: \xe2\x80\xa8\r\nX-Forwarded-For: fe80::1%\"zone, ::ffff:1.2.3.4\r\n\r\n", int64(999_999_999), "x")
	f.Fuzz(func(t *testing.T, head string, at int64, contentType string) {
		x := exchangeOf(t, head).answered(200, contentType)
		now := time.Unix(0, max(at, 0)).UTC()
		log := NewAccessLog(io.Discard, nil)
		for _, trusted := range []bool{false, true} {
			x.c.trusted = trusted
			if got, want := string(log.appendLine(nil, x, now)), zapLine(t, x, now); got != want {
				t.Fatalf("got  %s\nwant %s", got, want)
			}
		}
		x.err = &Error{Op: "await", Source: FromTarget, Status: 502, Err: errors.New(contentType)}
		x.svc, x.last = nil, nil
		if got, want := string(log.appendLine(nil, x, now)), zapLine(t, x, now); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

func TestAccessLog_lineFollowsTheClock(t *testing.T) {
	log := NewAccessLog(io.Discard, nil)
	x := exchangeOf(t, browser).answered(200, "text/html")
	at := time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	for _, step := range []time.Duration{0, 1, time.Second, 999 * time.Millisecond, -2 * time.Second, 24 * time.Hour} {
		at = at.Add(step)
		if got, want := string(log.appendLine(nil, x, at)), zapLine(t, x, at); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func FuzzWithoutPort(f *testing.F) {
	for _, seed := range []string{"", ":", "a", "a:", "a:80", ":80", "a:b:c", "[", "[]", "[]:", "[::1]", "[::1]:80", "[::1]]:80", "[a]b]:80", "[:", "[:80", "a[:1", "a:]", "[a:80"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		want, _, err := net.SplitHostPort(in)
		if err != nil {
			want = in
		}
		if got := string(withoutPort([]byte(in))); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	})
}

func TestAccessLog_keepsALongLineAndNotItsMemory(t *testing.T) {
	x := exchangeOf(t, "GET /"+strings.Repeat("\"", 40_000)+" HTTP/1.1\r\nHost: a\r\n\r\n").answered(404, "")
	log := NewAccessLog(io.Discard, nil)
	log.write(x)
	if got := len(log.sink.filling); got < 80_000 {
		t.Errorf("the line has %d bytes", got)
	}
	if got := cap(x.c.out); got > keepHead {
		t.Errorf("the workspace keeps %d bytes", got)
	}
}

func BenchmarkAccessLog_line(b *testing.B) {
	x := exchangeOf(b, browser).answered(200, "text/html; charset=utf-8")
	log := NewAccessLog(io.Discard, nil)
	now := time.Now()
	var line []byte
	b.ReportAllocs()
	for b.Loop() {
		line = log.appendLine(line[:0], x, now)
	}
	b.SetBytes(int64(len(line)))
}
