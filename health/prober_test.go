package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// listen serves every connection with serve, on a port of its own, until the
// test ends. serve gets the head of the request; the connection is closed when
// it returns.
func listen(tb testing.TB, address string, serve func(conn net.Conn, head string)) string {
	tb.Helper()
	return listenRaw(tb, address, func(conn net.Conn) {
		if head, err := readHead(conn); err == nil {
			serve(conn, head)
		}
	})
}

func listenRaw(tb testing.TB, address string, serve func(conn net.Conn)) string {
	tb.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		tb.Skipf("listen on %s: %v", address, err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	tb.Cleanup(func() {
		ln.Close()
		running.Wait()
	})
	return ln.Addr().String()
}

func readHead(r io.Reader) (string, error) {
	var head strings.Builder
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadString('\n')
		head.WriteString(line)
		if err != nil || line == "\r\n" {
			return head.String(), err
		}
	}
}

// write returns a serve that answers text.
func write(text string) func(net.Conn, string) {
	return func(conn net.Conn, _ string) { _, _ = io.WriteString(conn, text) }
}

// answer is an HTTP answer with a body of a known length.
func answer(code int, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s", code, len(body), body)
}

// untilClosed waits until the prober closes its side.
func untilClosed(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func probe(tb testing.TB, o Options) Result {
	tb.Helper()
	r, _ := newHTTPProber(o.withDefaults()).Probe(tb.Context(), false)
	return r
}

func TestHTTPProber_Probe_answers(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("x", 3*maxBody)
	tests := []struct {
		name, answer string
		o            Options
		want         string
	}{
		{"healthy", answer(200, "ok"), Options{}, "GET /up: 200"},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", Options{}, "GET /up: 204"},
		{"http 1.0", "HTTP/1.0 200 OK\r\n\r\nok", Options{}, "GET /up: 200"},
		{"close-delimited", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok", Options{Body: "ok"}, "GET /up: 200"},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", Options{Body: "ok"}, "GET /up: 200"},
		{"keep-alive offered", "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", Options{}, "GET /up: 200"},
		{"interim answer", "HTTP/1.1 103 Early Hints\r\n\r\n" + answer(200, "ok"), Options{}, "GET /up: 200"},
		{"surplus bytes", answer(200, "ok") + answer(500, "no"), Options{}, "GET /up: 200"},
		{"json checks", answer(503, `{"status":"error","checks":{"redis":true,"database":false}}`), Options{}, "GET /up: 503, checks: database=false, redis=true"},
		{"not found", answer(404, "no"), Options{}, "GET /up: 404 (expected 200-299)"},
		{"redirect is not followed", "HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", Options{}, "GET /up: 301 (expected 200-299)"},
		{"redirect in range", "HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", Options{StatusMin: 200, StatusMax: 399}, "GET /up: 301"},
		{"one status", answer(204, ""), Options{StatusMin: 200}, "GET /up: 204 (expected 200)"},
		{"body matches", answer(200, "all ok"), Options{Body: "ok"}, "GET /up: 200"},
		{"body lacks", answer(200, "no"), Options{Body: "ok"}, `GET /up: body lacks "ok"`},
		{"huge body", answer(200, huge), Options{}, "GET /up: 200"},
		{"huge chunked body", fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(huge), huge), Options{}, "GET /up: 200"},
		{"huge bad body", answer(500, huge), Options{}, "GET /up: 500 (expected 200-299)"},
		{"huge body, match too late", answer(200, huge+"ok"), Options{Body: "ok"}, `GET /up: body lacks "ok"`},
		{"large head", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 12<<10) + "\r\nContent-Length: 0\r\n\r\n", Options{}, "GET /up: 200"},
		{"too large head", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", Options{}, "GET /up: head of the answer is larger than 16 KiB"},
		{"wrong protocol", "SSH-2.0-OpenSSH_9.2\r\n", Options{}, "GET /up: not an HTTP answer"},
		{"almost the protocol", "HTTX", Options{}, "GET /up: not an HTTP answer"},
		{"garbage after the version", "HTTP/1.1 what\r\n\r\n", Options{}, "GET /up: not an HTTP answer"},
		{"tls", "\x15\x03\x01\x00\x02\x02\x46", Options{}, "GET /up: not an HTTP answer: the target speaks TLS"},
		{"closed at once", "", Options{}, "GET /up: connection closed without an answer"},
		{"closed in the head", "HTTP/1.1 200 OK\r\nContent-", Options{}, "GET /up: answer cut short"},
		{"closed in the body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", Options{}, "GET /up: answer cut short"},
		{"bad and closed in the body", "HTTP/1.1 500 X\r\nContent-Length: 10\r\n\r\nok", Options{}, "GET /up: 500 (expected 200-299)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.o.Address = listen(t, "127.0.0.1:0", write(tt.answer))
			r := probe(t, tt.o)
			if got := r.String(); got != tt.want {
				t.Errorf("got %q, want %q (%#v)", got, tt.want, r.Err)
			}
			if wantOK := tt.want == fmt.Sprintf("GET /up: %d", r.Code); r.OK != wantOK {
				t.Errorf("OK = %v, want %v", r.OK, wantOK)
			}
			if r.OK != (r.Err == nil) || r.At.IsZero() || r.Duration <= 0 {
				t.Errorf("inconsistent result %+v", r)
			}
		})
	}
}

func TestHTTPProber_Probe_sendsTheRequest(t *testing.T) {
	heads := make(chan string, 1)
	address := listen(t, "127.0.0.1:0", func(conn net.Conn, head string) {
		heads <- head
		_, _ = io.WriteString(conn, answer(200, ""))
	})
	host, port, _ := net.SplitHostPort(address)
	var number int
	fmt.Sscan(port, &number)
	tests := []struct {
		name string
		o    Options
		want []string
	}{
		{"plain", Options{Address: address}, []string{
			"GET /up HTTP/1.1\r\n", "\r\nHost: " + address + "\r\n",
			"\r\nUser-Agent: Upfront-HealthCheck\r\n", "\r\nConnection: close\r\n",
		}},
		{"raw path and query", Options{Address: address, Paths: []string{"/a/../b//c%2Fd?x=1&&y=%20"}}, []string{"GET /a/../b//c%2Fd?x=1&&y=%20 HTTP/1.1\r\n"}},
		{"host", Options{Address: address, Host: "my_app.example.com"}, []string{"\r\nHost: my_app.example.com\r\n"}},
		{"headers", Options{Address: address, Headers: map[string]string{
			"X-Token": "a b", "User-Agent": "me", "Connection": "keep-alive",
			"Content-Length": "5", "Transfer-Encoding": "chunked", "X-Cut": "a\r\nInjected: yes",
		}}, []string{"\r\nX-Token: a b\r\n", "\r\nUser-Agent: me\r\n", "\r\nConnection: close\r\n", "\r\nX-Cut: a"}},
		{"user agent", Options{Address: address, UserAgent: "me"}, []string{"\r\nUser-Agent: me\r\n"}},
		{"port", Options{Address: host + ":1", Port: number}, []string{"\r\nHost: " + address + "\r\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if r := probe(t, tt.o); !r.OK {
				t.Fatalf("got %v, want a good probe", r)
			}
			head := <-heads
			for _, want := range tt.want {
				if !strings.Contains(head, want) {
					t.Errorf("request lacks %q:\n%s", want, head)
				}
			}
			if strings.Contains(head, "\nInjected") || strings.Count(head, "Host:") != 1 ||
				strings.Contains(head, "keep-alive") || strings.Contains(head, "Content-Length") || strings.Contains(head, "Transfer-Encoding") {
				t.Errorf("request has what it must not have:\n%s", head)
			}
		})
	}
}

func TestHTTPProber_Probe_refused(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	r := probe(t, Options{Address: ln.Addr().String()})
	if got, want := r.String(), "GET /up: connection refused"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(r.Err, syscall.ECONNREFUSED) {
		t.Errorf("%#v hides the error behind it", r.Err)
	}
}

func TestHTTPProber_Probe_reset(t *testing.T) {
	address := listen(t, "127.0.0.1:0", func(conn net.Conn, _ string) {
		_ = conn.(*net.TCPConn).SetLinger(0)
	})
	if got, want := probe(t, Options{Address: address}).String(), "GET /up: connection reset"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHTTPProber_Probe_answerBeforeTheRequest(t *testing.T) {
	address := listenRaw(t, "127.0.0.1:0", func(conn net.Conn) {
		_, _ = io.WriteString(conn, answer(200, "ok"))
		_ = conn.(*net.TCPConn).CloseWrite()
		untilClosed(conn)
	})
	if r := probe(t, Options{Address: address}); !r.OK {
		t.Errorf("got %v, want a good probe", r)
	}
}

func TestHTTPProber_Probe_timeouts(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, answer, want string }{
		{"hang", "", "GET /up: no answer within 50ms"},
		{"slow head", "HTTP/1.1 200 OK\r\n", "GET /up: answer not complete within 50ms"},
		{"slow body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", "GET /up: answer not complete within 50ms"},
		{"slow bad body", "HTTP/1.1 503 X\r\nContent-Length: 10\r\n\r\nok", "GET /up: 503 (expected 200-299)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address := listen(t, "127.0.0.1:0", func(conn net.Conn, _ string) {
				_, _ = io.WriteString(conn, tt.answer)
				untilClosed(conn)
			})
			r := probe(t, Options{Address: address, Timeout: 50 * time.Millisecond})
			if got := r.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if r.OK || r.Duration < 50*time.Millisecond || r.Duration > 2*time.Second {
				t.Errorf("OK = %v after %v", r.OK, r.Duration)
			}
		})
	}
}

func TestHTTPProber_Probe_endsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := listen(t, "127.0.0.1:0", func(conn net.Conn, _ string) {
		cancel()
		untilClosed(conn)
	})
	start := time.Now()
	r, _ := newHTTPProber(Options{Address: address, Timeout: time.Minute}.withDefaults()).Probe(ctx, false)
	if !errors.Is(r.Err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", r.Err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("ended after %v", took)
	}
	if r, _ = newHTTPProber(Options{Address: address}.withDefaults()).Probe(ctx, false); !errors.Is(r.Err, context.Canceled) {
		t.Errorf("with an ended context: got %v, want context.Canceled", r.Err)
	}
}

func TestHTTPProber_Probe_severalPaths(t *testing.T) {
	var mu sync.Mutex
	var asked []string // guarded by mu
	address := listen(t, "127.0.0.1:0", func(conn net.Conn, head string) {
		path := strings.Fields(head)[1]
		mu.Lock()
		asked = append(asked, path)
		mu.Unlock()
		code := 200
		if path == "/sidekiq/health" {
			code = 500
		}
		_, _ = io.WriteString(conn, answer(code, ""))
	})
	r := probe(t, Options{Address: address, Paths: []string{"/up", "/sidekiq/health", "/never"}})
	if got, want := r.String(), "GET /sidekiq/health: 500 (expected 200-299)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	mu.Lock()
	defer mu.Unlock()
	if got, want := strings.Join(asked, " "), "/up /sidekiq/health"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
}

func TestHTTPProber_Probe_oneConnectionEach(t *testing.T) {
	ended := make(chan error, 10)
	address := listen(t, "127.0.0.1:0", func(conn net.Conn, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n")
		// Only the prober closing its side ends this read.
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	})
	p := newHTTPProber(Options{Address: address, Paths: []string{"/a", "/b"}}.withDefaults())
	for range 2 {
		if r, _ := p.Probe(t.Context(), false); !r.OK {
			t.Fatal(r)
		}
		for range 2 {
			if err := <-ended; !errors.Is(err, io.EOF) {
				t.Errorf("connection ended with %v, want EOF", err)
			}
		}
	}
}

func TestHTTPProber_Probe_ipv6(t *testing.T) {
	address := listen(t, "[::1]:0", write(answer(200, "ok")))
	if r := probe(t, Options{Address: address}); !r.OK {
		t.Errorf("got %v, want a good probe", r)
	}
	_, port, _ := net.SplitHostPort(address)
	var number int
	fmt.Sscan(port, &number)
	if r := probe(t, Options{Address: "[::1]:1", Port: number}); !r.OK {
		t.Errorf("with a port: got %v, want a good probe", r)
	}
}

func TestHTTPProber_Probe_dialErrors(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
	}
	fail := func(err error) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
		}
	}
	tests := []struct {
		name string
		dial func(context.Context, string, string) (net.Conn, error)
		want string
	}{
		{"hang", hang, "connect timed out"},
		{"no such host", fail(&net.DNSError{Err: "no such host", Name: "web", IsNotFound: true}), "no such host"},
		{"slow lookup", fail(&net.DNSError{Err: "i/o timeout", Name: "web", IsTimeout: true}), "name lookup timed out"},
		{"broken lookup", fail(&net.DNSError{Err: "server misbehaving", Name: "web"}), "name lookup failed: server misbehaving"},
		{"no route", fail(syscall.EHOSTUNREACH), "no route to host"},
		{"no network", fail(syscall.ENETUNREACH), "network unreachable"},
		{"no descriptors", fail(syscall.EMFILE), "too many open files"},
		{"bad address", fail(&net.AddrError{Err: "missing port in address", Addr: "web"}), "address web: missing port in address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := probe(t, Options{Address: "web:1", Timeout: 20 * time.Millisecond, Dial: tt.dial})
			if got, want := r.String(), "GET /up: "+tt.want; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func BenchmarkHTTPProber_Probe(b *testing.B) {
	address := listen(b, "127.0.0.1:0", write(answer(200, `{"status":"ok","checks":{"database":true}}`)))
	p := newHTTPProber(Options{Address: address}.withDefaults())
	b.ReportAllocs()
	for b.Loop() {
		if r, _ := p.Probe(b.Context(), false); !r.OK {
			b.Fatal(r)
		}
	}
}
