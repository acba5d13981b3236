package proxy

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

// What the target gets for odd but valid requests. That the others are refused is
// in the tables of proxy/http1.
func TestServer_forwardsAsTheRFCsSay(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		want      []string // the request line, then lines
		never     string
	}{
		{"RFC9112_3_2_4_asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", []string{"OPTIONS * HTTP/1.1", "Host: a"}, ""},
		{"RFC9112_3_2_4_asteriskForm of an absolute target", "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", []string{"OPTIONS * HTTP/1.1", "Host: b"}, "Host: a\r"},
		{"RFC9112_3_2_2_absoluteHTTPS", "GET https://b.test:443/x?y HTTP/1.1\r\nHost: a\r\n\r\n", []string{"GET /x?y HTTP/1.1", "Host: b.test:443"}, "Host: a\r"},
		{"RFC9112_3_2_2_absoluteIn10", "GET HTTP://B HTTP/1.0\r\n\r\n", []string{"GET / HTTP/1.1", "Host: B"}, ""},
		{"RFC9112_3_2_1_bytesAsTheyCame", "GET //a/./..%2fB%zz?\\|^ HTTP/1.1\r\nHost: a\r\n\r\n", []string{"GET //a/./..%2fB%zz?\\|^ HTTP/1.1"}, ""},
		{"RFC9110_7_2_hostAsItCame", "GET / HTTP/1.1\r\nhOST:\t APP.Test.:8080 \r\n\r\n", []string{"GET / HTTP/1.1", "hOST:\t APP.Test.:8080 ", "X-Forwarded-Host: APP.Test.:8080"}, ""},
		{"RFC3986_3_2_2_hostIPv6", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", []string{"GET / HTTP/1.1", "Host: [2001:db8::1]:80"}, ""},
		{"RFC9110_10_1_4_trailers", "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers, deflate\r\nConnection: TE\r\n\r\n", []string{"GET / HTTP/1.1", "TE: trailers", "Connection: TE"}, "deflate"},
		{"RFC9110_10_1_1_expectIn10", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na", []string{"POST / HTTP/1.1", "Content-Length: 1"}, "Expect"},
		{"RFC9110_10_1_1_expectWithoutBody", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", []string{"GET / HTTP/1.1"}, "Expect"},
		{"RFC9110_2_5_higherMinorVersion", "GET / HTTP/1.9\r\nHost: a\r\n\r\n", []string{"GET / HTTP/1.1"}, "1.9"},
		{"RFC9112_2_2_emptyLineBefore", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", []string{"GET / HTTP/1.1"}, ""},
		{"RFC9112_6_1_framingLookalikes", "GET / HTTP/1.1\r\nHost: a\r\nContent--Length: 5\r\nTransfer.Encoding': chunked\r\nContent_Length: 5\r\nX-Length: 5\r\n\r\n", []string{"GET / HTTP/1.1", "X-Length: 5"}, "Content"},
		{"RFC9112_6_chunkedStaysChunked", "PUT / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked\r\n\r\n0\r\n\r\n", []string{"PUT / HTTP/1.1", "Transfer-Encoding: chunked"}, "Chunked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			heads := make(chan string, 1)
			target := scripted(t, func(head string, c net.Conn, _ *bufio.Reader) {
				heads <- head
				_, _ = io.WriteString(c, ok(""))
			})
			r := newRig(t, Settings{}, newService(target.addr))
			w := r.wire()
			w.send(c.raw)
			if res, _ := w.receive("GET"); res.StatusCode != 200 {
				t.Fatalf("got %d", res.StatusCode)
			}
			head := next(t, heads)
			if !strings.HasPrefix(head, c.want[0]+"\r\n") {
				t.Errorf("got %q, want it to begin with %q", head, c.want[0])
			}
			for _, line := range c.want[1:] {
				if strings.Count(head, "\r\n"+line+"\r\n") != 1 {
					t.Errorf("head lacks %q, or has it twice:\n%s", line, head)
				}
			}
			if c.never != "" && strings.Contains(head, c.never) {
				t.Errorf("head has %q:\n%s", c.never, head)
			}
		})
	}
}
