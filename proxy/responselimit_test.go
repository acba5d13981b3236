package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestServer_boundsTheBodiesOfAnswers(t *testing.T) {
	const limit = 50_000
	chunked := func(n, step int) string {
		s := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		for ; n > 0; n -= step {
			s += fmt.Sprintf("%x\r\n%s\r\n", min(n, step), strings.Repeat("x", min(n, step)))
		}
		return s + "0\r\n\r\n"
	}
	for _, c := range []struct {
		name, method, answer string
		want                 int // 0: broken off
	}{
		{"fixed at the limit", "GET", fixed(limit) + strings.Repeat("x", limit), 200},
		{"fixed beyond", "GET", fixed(limit + 1), 500},
		{"HEAD beyond", "HEAD", fixed(limit + 1), 200},
		{"304 beyond", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 50001\r\n\r\n", 304},
		{"chunked at the limit", "GET", chunked(limit, 7000), 200},
		{"chunked beyond", "GET", chunked(limit+1, 7000), 0},
		{"until close at the limit", "GET", "HTTP/1.0 200 OK\r\n\r\n" + strings.Repeat("x", limit), 200},
		{"until close beyond", "GET", "HTTP/1.0 200 OK\r\n\r\n" + strings.Repeat("x", limit+1), 0},
	} {
		for _, buffered := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, buffered %v", c.name, buffered), func(t *testing.T) {
				answer := c.answer
				svc := newService(closing(t, answer))
				svc.MaxResponseBody, svc.BufferResponses = limit, buffered
				r := newRig(t, Settings{}, svc)
				w := r.wire()
				w.send(c.method + " / HTTP/1.1\r\nHost: a\r\n\r\n")
				res, err := http.ReadResponse(w.r, &http.Request{Method: c.method})
				if err != nil && c.want == 0 {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				n, err := io.Copy(io.Discard, res.Body)
				switch {
				case c.want == 0 && (err == nil || n > limit):
					t.Errorf("got %d bytes and a clean end", n)
				case c.want != 0 && (err != nil || res.StatusCode != c.want):
					t.Errorf("got %d, %d bytes and %v, want %d", res.StatusCode, n, err, c.want)
				}
			})
		}
	}
}

func TestServer_answers500ForABodyThatIsSeenToBeTooLarge(t *testing.T) {
	svc := newService(closing(t, "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
	svc.MaxResponseBody = 4
	r := newRig(t, Settings{}, svc)
	w := r.wire()
	for range 2 {
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if res, _ := w.receive("GET"); res.StatusCode != 500 || res.Close {
			t.Errorf("got %d, close %v", res.StatusCode, res.Close)
		}
	}
	if n := r.server.counters.Dials.Load(); n != 2 {
		t.Errorf("target was dialled %d times: what is left of an answer must not be read", n)
	}
}

func closing(t *testing.T, answer string) string {
	target := newRawTarget(t, closeAfter(answer))
	return target.addr
}

// closeAfter answers one request and closes once the client has.
func closeAfter(answer string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err != nil {
			return
		}
		_, _ = io.WriteString(c, answer)
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = r.WriteTo(io.Discard)
	}
}
