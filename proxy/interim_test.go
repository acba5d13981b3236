package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// scripted is a target whose answer to each request is all that script writes;
// it is told the head.
func scripted(t *testing.T, script func(head string, c net.Conn, r *bufio.Reader)) *rawTarget {
	return newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		for {
			head, err := readHead(r)
			if err != nil {
				return
			}
			script(head, c, r)
		}
	})
}

func TestServer_asksTheTargetBeforeTheClientSendsItsBody(t *testing.T) {
	asked, goOn := make(chan string, 1), make(chan struct{})
	target := scripted(t, func(head string, c net.Conn, r *bufio.Reader) {
		asked <- head
		select {
		case <-goOn:
		case <-time.After(15 * time.Second):
		}
		_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		body := make([]byte, 5)
		_, _ = io.ReadFull(r, body)
		_, _ = io.WriteString(c, ok(string(body)))
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	for range 2 {
		w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n")
		if head := next(t, asked); strings.Count(head, "Expect: 100-continue\r\n") != 1 {
			t.Fatalf("target was not asked:\n%s", head)
		}
		// No 100 of our own: nothing may come before the target's.
		_ = w.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if b, err := w.r.Peek(1); err == nil {
			t.Fatalf("got %q before the target said anything", b)
		}
		_ = w.SetReadDeadline(time.Now().Add(10 * time.Second))
		select {
		case goOn <- struct{}{}:
		case <-time.After(5 * time.Second):
			t.Fatal("target is not waiting")
		}
		if head := w.head(); head != "HTTP/1.1 100 Continue\r\n\r\n" {
			t.Fatalf("got %q", head)
		}
		w.send("hello")
		if res, body := w.receive("POST"); body != "hello" || res.Close {
			t.Fatalf("got %q, close %v", body, res.Close)
		}
	}
}

func TestServer_passesAFinalAnswerInThePlaceOfA100(t *testing.T) {
	target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
		_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	res, body := w.receive("POST")
	if res.StatusCode != 401 || body != "no" || !res.Close {
		t.Fatalf("got %d %q, close %v: the client may send the body or not", res.StatusCode, body, res.Close)
	}
	w.send("hello")
	w.ends(true)
}

func TestServer_doesNotWaitFor100WithAClientThatDoesNot(t *testing.T) {
	target := scripted(t, func(_ string, c net.Conn, r *bufio.Reader) {
		body := make([]byte, 5)
		_, _ = io.ReadFull(r, body)
		_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n"+ok(string(body)))
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	// A client that asks and does not wait gets both answers; one that did not
	// ask gets one.
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
	if head := w.head(); head != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("got %q", head)
	}
	if _, body := w.receive("POST"); body != "hello" {
		t.Fatalf("got %q", body)
	}
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nworld")
	if head := w.head(); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Fatalf("got %q", head)
	}
	w.exactly("world")
}

// A client that waits for a 100 for ever is the one that does not send.
func TestServer_givesUpOnBodiesForWhichNobodyAsks(t *testing.T) {
	for _, timeout := range []time.Duration{-1, 10 * time.Millisecond, 5 * time.Second} {
		for _, framing := range []string{"Content-Length: 5", "Transfer-Encoding: chunked"} {
			t.Run(fmt.Sprint(timeout, " ", framing), func(t *testing.T) {
				target := scripted(t, func(_ string, _ net.Conn, r *bufio.Reader) { _, _ = r.ReadByte() })
				svc := newService(target.addr)
				svc.TargetTimeout = timeout
				r := newRig(t, Settings{BodyTimeout: 50 * time.Millisecond}, svc)
				w := r.wire()
				w.send("POST / HTTP/1.1\r\nHost: a\r\n" + framing + "\r\nExpect: 100-continue\r\n\r\n")
				if res, _ := w.receive("POST"); res.StatusCode != 408 || !res.Close {
					t.Fatalf("got %d, close %v, want 408", res.StatusCode, res.Close)
				}
			})
		}
	}
}

func TestServer_passesInterimResponses(t *testing.T) {
	const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n"
	const unknown = "HTTP/1.1 199 \r\nX-New: 1\r\n\r\n"
	target := scripted(t, func(_ string, c net.Conn, r *bufio.Reader) {
		_, _ = io.WriteString(c, hints+"HTTP/1.1 102 Processing\r\n\r\n"+unknown)
		_, _ = io.WriteString(c, ok("done"))
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	for range 2 {
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		for _, want := range []string{
			"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
			"HTTP/1.1 102 Processing\r\n\r\n", unknown,
		} {
			if got := w.head(); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
		if _, body := w.receive("GET"); body != "done" {
			t.Fatalf("got %q", body)
		}
	}
	old := r.wire()
	old.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
	if head := old.head(); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") {
		t.Fatalf("HTTP/1.0 client got %q", head)
	}
	old.exactly("done")
}

func TestServer_passesHintsOnAtOnce(t *testing.T) {
	goOn := make(chan struct{})
	target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
		_, _ = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n")
		select {
		case <-goOn:
		case <-time.After(15 * time.Second):
		}
		_, _ = io.WriteString(c, ok("done"))
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if head := w.head(); head != "HTTP/1.1 103 Early Hints\r\n\r\n" {
		t.Fatalf("got %q", head)
	}
	close(goOn)
	w.receive("GET")
}

func TestServer_refusesAFloodOfInterimResponses(t *testing.T) {
	for _, n := range []int{32, 33, 10_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
				_, _ = io.WriteString(c, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", n))
				_, _ = io.WriteString(c, ok("done"))
			})
			r := newRig(t, Settings{}, newService(target.addr))
			w := r.wire()
			w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			interim, final := 0, w.head()
			for strings.HasPrefix(final, "HTTP/1.1 103 ") {
				interim++
				final = w.head()
			}
			if interim != 32 {
				t.Errorf("got %d interim responses, want 32", interim)
			}
			want := "HTTP/1.1 200 "
			if n > 32 {
				want = "HTTP/1.1 502 "
			}
			if !strings.HasPrefix(final, want) {
				t.Errorf("got %q, want %q", final, want)
			}
		})
	}
}
