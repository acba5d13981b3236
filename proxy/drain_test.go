package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestServer_endsWhatADrainCuts(t *testing.T) {
	for _, c := range []struct{ name, said string }{
		{"before the answer", ""},
		{"inside a body of known length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"},
		{"inside a chunked body", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
		{"inside a body until close", "HTTP/1.1 200 OK\r\n\r\nhello"},
		{"behind an interim response", "HTTP/1.1 103 Early Hints\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			gone, asked := make(chan struct{}, 1), make(chan struct{}, 1)
			target := newRawTarget(t, func(conn net.Conn, r *bufio.Reader) {
				_, _ = readHead(r)
				_, _ = io.WriteString(conn, c.said)
				asked <- struct{}{}
				_, _ = r.ReadByte()
				gone <- struct{}{}
			})
			r := newRig(t, Settings{}, newService(target.addr))
			w := r.wire()
			w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			next(t, asked)
			if c.said != "" {
				if _, err := w.r.Peek(1); err != nil {
					t.Fatal(err)
				}
			}
			if n := next(t, r.drained()); n != 1 {
				t.Errorf("drain cut %d exchanges, want 1", n)
			}
			next(t, gone)
			res, err := http.ReadResponse(w.r, nil)
			if err == nil && res.StatusCode == 103 {
				res, err = http.ReadResponse(w.r, nil)
			}
			if err != nil {
				return // it broke off before the head was read
			}
			body, err := io.ReadAll(res.Body)
			if res.StatusCode == 200 && err == nil {
				t.Errorf("client took %q for a whole answer", body)
			}
			if res.StatusCode != 200 && res.StatusCode != 504 {
				t.Errorf("got %d", res.StatusCode)
			}
		})
	}
}

func TestServer_endsAnUploadThatADrainCuts(t *testing.T) {
	began := make(chan struct{})
	addr := httpTarget(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		_, _ = io.Copy(io.Discard, r.Body)
	})
	r := newRig(t, Settings{}, newService(addr))
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello")
	next(t, began)
	next(t, r.drained())
	if res, _ := w.receive("POST"); res.StatusCode != 504 || !res.Close {
		t.Errorf("got %d, close %v", res.StatusCode, res.Close)
	}
}

func TestServer_waitsForWhatIsInFlightInADrain(t *testing.T) {
	goOn, asked := make(chan struct{}), make(chan struct{}, 1)
	target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
		asked <- struct{}{}
		next(t, goOn)
		_, _ = io.WriteString(c, ok("done"))
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	next(t, asked)
	cut := make(chan int, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	go func() { cut <- r.svc.Pool.Targets()[0].Drain(ctx) }()
	eventually(t, "the target is draining", r.svc.Pool.Targets()[0].Draining)
	other := r.wire()
	other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, _ := other.receive("GET"); res.StatusCode != 503 {
		t.Errorf("got %d from a pool that is draining", res.StatusCode)
	}
	close(goOn)
	if _, body := w.receive("GET"); body != "done" {
		t.Errorf("got %q", body)
	}
	if n := next(t, cut); n != 0 {
		t.Errorf("drain cut %d exchanges", n)
	}
}
