package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// largeHead is the head of a 200 with a body of length bytes, size bytes in all,
// as we write it ourselves: its length comes last.
func largeHead(size, length int) string {
	end := "Content-Length: " + strconv.Itoa(length) + "\r\n\r\n"
	var b strings.Builder
	b.WriteString("HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
	for b.Len() < size-5000 { // as many cookies do
		b.WriteString("Set-Cookie: " + strings.Repeat("c", 4000) + "\r\n")
	}
	b.WriteString("X: " + strings.Repeat("x", size-b.Len()-len("X: \r\n")-len(end)) + "\r\n" + end)
	return b.String()
}

func TestServer_takesLargeHeadsOfTargets(t *testing.T) {
	for _, size := range []int{bodyBuffer - 1, bodyBuffer, bodyBuffer + 1, 100_000, maxResponseHead} {
		for _, length := range []int{0, 5, 200_000} {
			body := string(payload(length))
			head := largeHead(size, length)
			target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) { _, _ = io.WriteString(c, head+body) })
			r := newRig(t, Settings{}, newService(target.addr))
			w := r.wire()
			for range 2 {
				w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				if got := w.head(); got != head {
					t.Fatalf("%d bytes: got another head, of %d bytes: %.80q", size, len(got), got)
				}
				w.exactly(body)
			}
			if got := r.server.counters.Dials.Load(); got != 1 {
				t.Errorf("%d bytes: the target was dialled %d times, want once", size, got)
			}
		}
	}
}

func TestServer_refusesHeadsThatAreTooLarge(t *testing.T) {
	for name, answer := range map[string]string{
		"a byte too many": largeHead(maxResponseHead+1, 0),
		"one field":       "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxResponseHead) + "\r\n\r\n",
		"reason":          "HTTP/1.1 200 " + strings.Repeat("x", 2*maxResponseHead) + "\r\n\r\n",
		"fields":          "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: 1\r\n", maxResponseFields+1) + "Content-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Settings{}, newService(answering(t, answer).addr))
			w := r.wire()
			w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if res, _ := w.receive("GET"); res.StatusCode != 502 {
				t.Fatalf("got %d, want 502", res.StatusCode)
			}
		})
	}
}

func TestServer_takesALargeHeadInPieces(t *testing.T) {
	head := largeHead(100_000, 5)
	for _, piece := range []int{701, 4096, 32_767} {
		target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
			for rest := head + "hello"; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
				if _, err := io.WriteString(c, rest[:min(piece, len(rest))]); err != nil {
					return
				}
			}
		})
		r := newRig(t, Settings{}, newService(target.addr))
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := w.head(); len(got) != len(head) {
			t.Fatalf("got a head of %d bytes, want %d", len(got), len(head))
		}
		w.exactly("hello")
	}
}

// A target that sends its head byte by byte must not hold the client for as long
// as it likes.
func TestServer_givesUpOnAHeadThatTrickles(t *testing.T) {
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX: ")
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
		}
	})
	svc := newService(target.addr)
	svc.TargetTimeout = 100 * time.Millisecond
	r := newRig(t, Settings{}, svc)
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, _ := w.receive("GET"); res.StatusCode != 504 {
		t.Fatalf("got %d, want 504", res.StatusCode)
	}
}

func TestBodyReader_growsAndShrinks(t *testing.T) {
	var r bodyReader
	want := payload(60_000)
	r.have = copy(r.space(), want)
	r.grow(100_000)
	if r.have != bodyBuffer || len(r.space()) != bodyBuffer || r.buf != nil {
		t.Fatalf("has %d bytes and room for %d, pooled buffer %t", r.have, len(r.space()), r.buf != nil)
	}
	r.have += copy(r.space(), want[r.have:])
	r.grow(100_000)
	if len(r.large) != 2*bodyBuffer {
		t.Fatalf("grew to %d bytes before it was full", len(r.large))
	}
	r.consume(10_000)
	if !bytes.Equal(r.bytes(), want[10_000:]) || r.large == nil {
		t.Fatal("lost what waits, or the buffer that holds it")
	}
	r.consume(30_000)
	if !bytes.Equal(r.bytes(), want[40_000:]) || r.large != nil {
		t.Fatal("lost what waits, or keeps the large buffer")
	}
	r.discard()
	if r.buf != nil || len(r.bytes()) != 0 {
		t.Error("keeps a buffer although nothing waits")
	}
}

func TestWorkspace_release_forgetsLargeBuffers(t *testing.T) {
	w := &workspace{in: make([]byte, 2*keepHead), out: make([]byte, 0, 2*keepHead)}
	w.req.Reset()
	w.res.Reset()
	if done, err := w.res.Scan([]byte(largeHead(100_000, 0)), responseLimits); !done || err != nil {
		t.Fatal(done, err)
	}
	w.release()
	if len(w.in) > keepHead || cap(w.out) > keepHead || w.res.Len() != 0 {
		t.Errorf("kept %d and %d bytes, and a response of %d", len(w.in), cap(w.out), w.res.Len())
	}
}
