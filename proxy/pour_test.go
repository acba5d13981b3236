package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
)

// largeAnswer is a target that answers every request with body, in pieces of its
// own, and counts its connections.
func largeAnswer(t *testing.T, body []byte, conns *atomic.Int32) *rawTarget {
	return newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		conns.Add(1)
		for {
			if _, err := readHead(r); err != nil {
				return
			}
			if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body)); err != nil {
				return
			}
			for at, piece := 0, 1; at < len(body); at, piece = at+piece, piece*3%200_003+1 {
				if _, err := c.Write(body[at:min(at+piece, len(body))]); err != nil {
					return
				}
			}
		}
	})
}

func TestServer_poursLargeAnswersWholeAndKeepsTheConnection(t *testing.T) {
	var conns atomic.Int32
	body := payload(3<<20 + 17)
	r := newRig(t, Settings{}, newService(largeAnswer(t, body, &conns).addr))
	w := r.wire()
	for i := range 5 {
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		w.head()
		got := make([]byte, len(body))
		for at := 0; at < len(got); { // now and then late
			n, err := io.ReadAtLeast(w.r, got[at:min(at+500_000, len(got))], 1)
			if err != nil {
				t.Fatalf("answer %d after %d bytes: %v", i, at, err)
			}
			if at += n; i == 1 {
				runtime.Gosched()
			}
		}
		if !bytes.Equal(got, body) {
			t.Fatalf("answer %d is not what the target sent", i)
		}
	}
	if got := conns.Load(); got != 1 {
		t.Errorf("target was dialled %d times, want once", got)
	}
}

func TestServer_cutsTheClientWhenAPouredAnswerIsCut(t *testing.T) {
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
			_, _ = c.Write(payload(500_000))
		}
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	w.head()
	if n, err := io.Copy(io.Discard, w.r); err == nil || n > 500_000 {
		t.Errorf("got %d bytes and a clean end of an answer that was cut", n)
	}
}

func TestServer_holdsNoBufferForAClientThatDoesNotRead(t *testing.T) {
	if !canPour {
		t.Skip("this system has no way to look at bytes without taking them")
	}
	const clients = 100
	var conns atomic.Int32
	body := payload(8 << 20) // more than the kernel takes
	r := newRig(t, Settings{}, newService(largeAnswer(t, body, &conns).addr))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range clients {
		w := r.wire()
		_ = tune(w.Conn).SetReadBuffer(4 << 10)
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	target := r.svc.Pool.Targets()[0]
	eventually(t, "all have an answer under way", func() bool { return target.InFlight() == clients })
	const most = 60 << 10 // both ends, and the target's, are in this process
	each := 0.0
	eventually(t, "the buffers to be given back", func() bool {
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		each = float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse) / clients
		return each < most
	})
	t.Logf("%.1f KB for a client that does not read", each/1024)
}
