package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
)

// dying is a target that reads so much of a request's body and then dies.
func dying(t *testing.T, seen *atomic.Int32, read int64) string {
	return newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err != nil {
			return
		}
		seen.Add(1)
		_, _ = io.CopyN(io.Discard, r, read)
		if read > 0 {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
	}).addr
}

// slowly sends a request whose body arrives behind its head.
func (w *wire) slowly(r *rig, method, framing, body string) {
	w.send(method + " /?fixed HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n\r\n")
	r.awaitSpooled(1)
	w.send(body)
}

func TestReplay_sendsASpooledBodyAgain(t *testing.T) {
	for _, size := range []int{100, bufferRoom + 1, 2 << 20} {
		for _, read := range []int64{0, 50, int64(size)} {
			for _, how := range []string{"buffered", "announced", "chunked"} {
				t.Run(fmt.Sprintf("%d bytes, %d read, %s", size, read, how), func(t *testing.T) {
					var seen atomic.Int32
					svc := gathering(dying(t, &seen, read), dying(t, &seen, read), httpTarget(t, mirror))
					body := string(payload(size))
					framing, raw := fmt.Sprintf("Content-Length: %d", size), body
					switch how {
					case "announced":
						svc.BufferRequests, svc.ReplayBody = false, int64(size)
					case "chunked":
						framing, raw = "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", size, body)
					}
					r := newRig(t, Settings{}, svc)
					w := r.wire()
					w.slowly(r, "PUT", framing, raw)
					if res, got := w.receive("PUT"); res.StatusCode != 200 || got != body {
						t.Fatalf("got %d and %d bytes, want 200 and %d", res.StatusCode, len(got), size)
					}
					if n := seen.Load(); n == 0 {
						t.Error("no target died")
					}
				})
			}
		}
	}
}

func TestReplay_sendsNoPostAgainThatMayHaveBeenSeen(t *testing.T) {
	var seen atomic.Int32
	svc := gathering(dying(t, &seen, 50_000), dying(t, &seen, 50_000))
	r := newRig(t, Settings{}, svc)
	w := r.wire()
	w.slowly(r, "POST", "Content-Length: 100000", string(payload(100_000)))
	if res, _ := w.receive("POST"); res.StatusCode != 502 || res.Close {
		t.Errorf("got %d, close %v", res.StatusCode, res.Close)
	}
	if n := seen.Load(); n != 1 {
		t.Errorf("targets saw it %d times, want once", n)
	}
}

func TestReplay_sendsAPostAgainThatReachedNoTarget(t *testing.T) {
	svc := gathering(deadAddress, deadAddress, httpTarget(t, mirror))
	svc.BufferRequests, svc.ReplayBody = false, 100_000
	r := newRig(t, Settings{}, svc)
	w := r.wire()
	for range 3 {
		body := string(payload(100_000))
		w.slowly(r, "POST", "Content-Length: 100000", body)
		if res, got := w.receive("POST"); res.StatusCode != 200 || got != body {
			t.Errorf("got %d and %d bytes", res.StatusCode, len(got))
		}
	}
	if r.server.counters.Retries.Load() == 0 {
		t.Error("nothing was sent again")
	}
}

func TestReplay_readsNoBodyThatIsLargerOrNotAnnounced(t *testing.T) {
	for _, framing := range []string{"Content-Length: 101", "Transfer-Encoding: chunked"} {
		svc := newService(httpTarget(t, mirror))
		svc.ReplayBody, svc.BufferMemory = 100, bufferRoom
		r := newRig(t, Settings{}, svc)
		w := r.wire()
		w.send("POST /?fixed HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n\r\n")
		eventually(t, "the target has the request", func() bool { return r.inFlight() == 1 })
		if strings.HasPrefix(framing, "C") {
			w.send(string(payload(101)))
		} else {
			w.send("0\r\n\r\n")
		}
		if res, _ := w.receive("POST"); res.StatusCode != 200 {
			t.Errorf("got %d", res.StatusCode)
		}
	}
}

func TestReplay_usesAKeptConnectionThatDiesWithoutHarm(t *testing.T) {
	// The target closes its connection upon the second request: a PUT goes out
	// again, on a new connection to the same target.
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err != nil {
			return
		}
		body := make([]byte, 50_000)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		_, _ = io.WriteString(c, ok(string(body[:10])))
		_, _ = readHead(r)
	})
	r := newRig(t, Settings{}, gathering(target.addr))
	w := r.wire()
	for range 4 {
		body := string(payload(50_000))
		w.slowly(r, "PUT", "Content-Length: 50000", body)
		if res, got := w.receive("PUT"); res.StatusCode != 200 || got != body[:10] {
			t.Fatalf("got %d %q", res.StatusCode, got)
		}
	}
}
