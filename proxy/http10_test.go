package proxy

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

func TestServer_speaksHTTP10(t *testing.T) {
	answers := map[string]string{
		"fixed":   ok("hello"),
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
		"close":   "HTTP/1.1 200 OK\r\n\r\nhello",
		"1.0":     "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	}
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		for {
			head, err := readHead(r)
			if err != nil {
				return
			}
			if strings.Contains(strings.ToLower(head), "keep-alive") {
				t.Errorf("target was shown the client's Connection:\n%s", head)
			}
			path := strings.Fields(head)[1][1:]
			_, _ = io.WriteString(c, answers[path])
			if path == "close" || path == "1.0" {
				return
			}
		}
	})
	r := newRig(t, Settings{}, newService(target.addr))
	for _, c := range []struct {
		path string
		head string
		keep bool
	}{
		{"fixed", "", false},
		{"fixed", "Connection: keep-alive\r\n", true},
		{"fixed", "Connection: Keep-Alive\r\n", true},
		{"chunked", "", false},
		{"chunked", "Connection: keep-alive\r\n", false},
		{"close", "Connection: keep-alive\r\n", false},
		{"1.0", "Connection: keep-alive\r\n", true},
		{"1.0", "", false},
	} {
		t.Run(c.path+" "+c.head, func(t *testing.T) {
			w := r.wire()
			for range 2 {
				w.send("GET /" + c.path + " HTTP/1.0\r\n" + c.head + "\r\n")
				head := w.head()
				if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || strings.Contains(head, "Transfer-Encoding") {
					t.Errorf("got head %q", head)
				}
				if got := strings.Contains(head, "Connection: keep-alive\r\n"); got != c.keep {
					t.Errorf("keep-alive is %v, want %v: %q", got, c.keep, head)
				}
				w.exactly("hello")
				if !c.keep {
					w.ends(true)
					return
				}
			}
		})
	}
}

func TestServer_tellsHTTP10ThatAnErrorKeepsTheConnection(t *testing.T) {
	r := newRigOf(t, Settings{}, nil, &fixedRoutes{})
	w := r.wire()
	for range 2 {
		w.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		res, _ := w.receive("GET")
		if res.StatusCode != 404 || !strings.EqualFold(res.Header.Get("Connection"), "keep-alive") {
			t.Fatalf("got %d and Connection %q", res.StatusCode, res.Header.Get("Connection"))
		}
	}
}

func TestServer_givesHTTP10WithoutAHostTheTargetsName(t *testing.T) {
	heads := make(chan string, 1)
	target := scripted(t, func(head string, c net.Conn, _ *bufio.Reader) {
		heads <- head
		_, _ = io.WriteString(c, ok(""))
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("GET / HTTP/1.0\r\n\r\n")
	w.receive("GET")
	if head := <-heads; !strings.Contains(head, "\r\nHost: "+target.addr+"\r\n") {
		t.Errorf("got head:\n%s", head)
	}
}

func TestServer_refusesTransferCodingsInHTTP10(t *testing.T) {
	r := newRig(t, Settings{}, newService(answering(t, ok("")).addr))
	w := r.wire()
	w.send("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	if res, _ := w.receive("POST"); res.StatusCode != 400 || !res.Close {
		t.Fatalf("got %d, close %v", res.StatusCode, res.Close)
	}
	w.ends(true)
}
