package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestServer_neverPassesABrokenBodyForAWholeOne(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		reset        bool
	}{
		{"short of its length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", false},
		{"nothing of its length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", false},
		{"reset", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", true},
		{"chunks without an end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false},
		{"inside a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello", false},
		{"inside a chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1", false},
		{"without the last line", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", false},
		{"malformed chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n", false},
		{"until close, reset", "HTTP/1.1 200 OK\r\n\r\nhello", true},
	} {
		for _, version := range []string{"1.1", "1.0"} {
			t.Run(c.name+" "+version, func(t *testing.T) {
				sent := make(chan struct{})
				target := newRawTarget(t, func(conn net.Conn, r *bufio.Reader) {
					if _, err := readHead(r); err != nil {
						return
					}
					_, _ = io.WriteString(conn, c.answer)
					if c.reset {
						next(t, sent)
						_ = conn.(*net.TCPConn).SetLinger(0)
					}
				})
				r := newRig(t, Settings{}, newService(target.addr))
				w := r.wire()
				w.send("GET / HTTP/" + version + "\r\nHost: a\r\n\r\n")
				res, err := http.ReadResponse(w.r, nil)
				close(sent)
				if err != nil {
					return // the connection broke before the head arrived: abnormal enough
				}
				if body, err := io.ReadAll(res.Body); err == nil && res.StatusCode == 200 {
					t.Fatalf("client took %q for a whole answer", body)
				}
			})
		}
	}
}

func TestServer_answers502ToWhatIsNoResponse(t *testing.T) {
	for name, answer := range map[string]string{
		"not HTTP":                "SSH-2.0-OpenSSH_9.6\r\n",
		"HTTP/2":                  "HTTP/2 200 OK\r\n\r\n",
		"HTTP/0.9":                "<html>hello</html>",
		"status of two digits":    "HTTP/1.1 20 OK\r\n\r\n",
		"status of four digits":   "HTTP/1.1 2000 OK\r\n\r\n",
		"status 099":              "HTTP/1.1 099 OK\r\n\r\n",
		"status 600":              "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
		"two lengths":             "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		"two equal lengths":       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"length list":             "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
		"signed length":           "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
		"negative length":         "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
		"huge length":             "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
		"empty length":            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nhello",
		"length and chunks":       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"gzip coding":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
		"gzip, chunked":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"chunked twice":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"chunks in HTTP/1.0":      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"NUL in a value":          "HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n",
		"folded line":             "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
		"bare LF":                 "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"bare LF in a field":      "HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\n",
		"space before the colon":  "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
		"no colon":                "HTTP/1.1 200 OK\r\nhello\r\n\r\n",
		"bare CR":                 "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
		"huge head":               "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 300_000) + "\r\nContent-Length: 0\r\n\r\n",
		"endless fields":          "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: 1\r\n", 5000) + "\r\n",
		"first chunk malformed":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"head that breaks off":    "HTTP/1.1 200 OK\r\nContent-Len",
		"nothing":                 "",
		"interim and nothing":     "HTTP/1.1 100 Continue\r\n\r\n",
		"interim that breaks off": "HTTP/1.1 100 Continue\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
				if _, err := readHead(r); err != nil {
					return
				}
				_, _ = io.WriteString(c, answer)
			})
			r := newRig(t, Settings{}, newService(target.addr))
			w := r.wire()
			w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if res, _ := w.receive("GET"); res.StatusCode != 502 || res.Close {
				t.Fatalf("got %d, close %v, want 502 and a connection that lives on", res.StatusCode, res.Close)
			}
			w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
			if res, _ := w.receive("POST"); res.StatusCode != 502 {
				t.Fatalf("got %d, want 502", res.StatusCode)
			}
		})
	}
}

func TestServer_takesAnswersOfHTTP10Targets(t *testing.T) {
	for name, answer := range map[string]string{
		"close":      "HTTP/1.0 200 OK\r\n\r\nhello",
		"length":     "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"keep-alive": "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
		"no reason":  "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
	} {
		target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
			for {
				if _, err := readHead(r); err != nil {
					return
				}
				_, _ = io.WriteString(c, answer)
				if name == "close" || name == "length" {
					return
				}
			}
		})
		r := newRig(t, Settings{}, newService(target.addr))
		w := r.wire()
		for range 3 {
			w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if res, body := w.receive("GET"); res.StatusCode != 200 || body != "hello" {
				t.Errorf("%s: got %d %q", name, res.StatusCode, body)
			}
		}
	}
}

func TestServer_neverPassesSurplusToTheNextClient(t *testing.T) {
	for name, surplus := range map[string]string{
		"a response":    "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
		"a line":        "\r\n",
		"a byte":        "x",
		"more of it":    strings.Repeat("poison", 20_000),
		"an empty body": "0\r\n\r\n",
	} {
		for _, later := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				sent := make(chan struct{}, 64)
				target := scripted(t, func(head string, c net.Conn, _ *bufio.Reader) {
					answer := ok(strings.Fields(head)[1])
					if later {
						_, _ = io.WriteString(c, answer)
						_, _ = io.WriteString(c, surplus)
					} else {
						_, _ = io.WriteString(c, answer+surplus)
					}
					sent <- struct{}{}
				})
				r := newRig(t, Settings{}, newService(target.addr))
				for _, path := range []string{"/1", "/2", "/3", "/4"} {
					w := r.wire()
					w.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
					res, body := w.receive("GET")
					if res.StatusCode != 200 || body != path {
						t.Fatalf("got %d %q, want %q", res.StatusCode, body, path)
					}
					next(t, sent)
					conn := r.svc.Pool.Targets()[0].Transport().(*transport)
					eventually(t, "the surplus has arrived", func() bool {
						conn.mu.Lock()
						defer conn.mu.Unlock()
						return len(conn.idle) == 0 || !conn.idle[0].quiet()
					})
				}
				if got := r.server.counters.Dials.Load(); got != 4 {
					t.Errorf("4 requests used %d connections: one was used again", got)
				}
			})
		}
	}
}

func TestServer_bodyBehindAnAnswerToHEADIsSurplus(t *testing.T) {
	target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) { _, _ = io.WriteString(c, ok("hello")) })
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	for range 3 {
		w.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
		if res, body := w.receive("HEAD"); res.StatusCode != 200 || body != "" {
			t.Fatalf("got %d %q", res.StatusCode, body)
		}
	}
}

func TestServer_givesUpOnATargetThatSaysNothing(t *testing.T) {
	for name, say := range map[string]string{"nothing": "", "half a head": "HTTP/1.1 200 OK\r\nX-Half: "} {
		target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
			_, _ = readHead(r)
			_, _ = io.WriteString(c, say)
			_, _ = r.ReadByte()
		})
		svc := newService(target.addr)
		svc.TargetTimeout = 50 * time.Millisecond
		r := newRig(t, Settings{}, svc)
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if res, _ := w.receive("GET"); res.StatusCode != 504 {
			t.Errorf("%s: got %d, want 504", name, res.StatusCode)
		}
	}
}

func TestServer_givesUpOnABodyThatStops(t *testing.T) {
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		_, _ = readHead(r)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
		_, _ = r.ReadByte()
	})
	r := newRig(t, Settings{BodyTimeout: 50 * time.Millisecond}, newService(target.addr))
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	res, err := http.ReadResponse(w.r, nil)
	if err != nil {
		return
	}
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Fatalf("client took %q for a whole answer", body)
	}
}

func TestServer_keepsHeadsOfTargetsAsTheyAre(t *testing.T) {
	target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
		_, _ = io.WriteString(c, "HTTP/1.1 299 Very  Own \xe4\r\nsErVer:  Kept \r\ndAte: Today\r\nX-A: 1\r\nx-a: 2\r\nKeep-Alive: timeout=5\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nContent-Length: 0\r\n\r\n")
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	want := "HTTP/1.1 299 Very  Own \xe4\r\nsErVer:  Kept \r\ndAte: Today\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n"
	if got := w.head(); !bytes.Equal([]byte(got), []byte(want)) {
		t.Fatalf("got %q, want %q", got, want)
	}
}
