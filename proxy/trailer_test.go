package proxy

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

// readChunked reads a chunked body as it came, trailers included.
func readChunked(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return b.String(), err
		}
		if line == "0\r\n" {
			trailers, err := readHead(r)
			b.WriteString(trailers)
			return b.String(), err
		}
	}
}

func TestServer_passesTrailersBothWays(t *testing.T) {
	requests := make(chan string, 2)
	target := scripted(t, func(head string, c net.Conn, r *bufio.Reader) {
		body, _ := readChunked(r)
		requests <- head + body
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, ETag\r\n\r\n"+
			"3\r\nabc\r\n0\r\nX-Sum: down\r\nEtag: \"1\"\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\n\r\n")
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	for range 2 {
		w.send("POST / HTTP/1.1\r\nHost: a\r\nTE: trailers, gzip\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" +
			"3\r\nabc\r\n0\r\nX-Sum: up\r\nHost: evil\r\nX-Forwarded-For: 6.6.6.6\r\nTransfer-Encoding: chunked\r\nAuthorization: x\r\n\r\n")
		got := <-requests
		for _, want := range []string{"TE: trailers\r\n", "Connection: TE\r\n", "Trailer: X-Sum\r\n", "3\r\nabc\r\n0\r\nX-Sum: up\r\n\r\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("request lacks %q:\n%s", want, got)
			}
		}
		for _, bad := range []string{"gzip", "evil", "6.6.6.6", "Authorization"} {
			if strings.Contains(got, bad) {
				t.Errorf("request has %q:\n%s", bad, got)
			}
		}
		if head := w.head(); !strings.Contains(head, "Trailer: X-Sum, ETag\r\n") {
			t.Errorf("got head %q", head)
		}
		w.exactly("3\r\nabc\r\n0\r\nX-Sum: down\r\nEtag: \"1\"\r\n\r\n")
	}
}

func TestServer_keepsTrailersFromHTTP10(t *testing.T) {
	target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: down\r\n\r\n")
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
	if head := w.head(); !strings.Contains(head, "Connection: close\r\n") || strings.Contains(head, "chunked") {
		t.Errorf("got head %q", head)
	}
	w.exactly("abcde")
	w.ends(true)
}

func TestServer_refusesMalformedTrailers(t *testing.T) {
	for _, trailer := range []string{"no colon\r\n", " folded: 1\r\n", "X: a\x00b\r\n", "X: 1\n", "X : 1\r\n"} {
		target := scripted(t, func(_ string, c net.Conn, r *bufio.Reader) { _, _ = r.ReadByte() })
		r := newRig(t, Settings{}, newService(target.addr))
		w := r.wire()
		w.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n" + trailer + "\r\n")
		if res, _ := w.receive("POST"); res.StatusCode != 400 || !res.Close {
			t.Errorf("%q: got %d, close %v", trailer, res.StatusCode, res.Close)
		}
	}
}
