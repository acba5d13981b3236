package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The moment between the look at a kept connection and the write on it cannot be
// met by chance in a test: the look itself tells the target what to do then, and
// waits until it has arrived.

// betweenLookAndSend makes the next look at the idle connection find nothing, and
// do happen before the request is sent.
func betweenLookAndSend(t *testing.T, r *rig, do func()) {
	t.Helper()
	conn := idleConn(t, r)
	peek := conn.peek
	conn.peek = func(fd uintptr) {
		conn.peek = peek
		peek(fd)
		do()
		eventually(t, "it has arrived", func() bool {
			silent, _ := peekAt(fd)
			return !silent
		})
	}
}

// idleConn waits until the target's connection is kept, and returns it. It is trusted
// with requests that must not be sent twice.
func idleConn(t *testing.T, r *rig) (conn *targetConn) {
	t.Helper()
	tr := r.svc.Pool.Targets()[0].Transport().(*transport)
	tr.trust.quick.Store(0)
	tr.trust.open(time.Minute)
	eventually(t, "the connection is kept", func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if len(tr.idle) == 1 {
			conn = tr.idle[0]
		}
		return conn != nil
	})
	return conn
}

// obedient is a target that answers with the path, and whose first connection can
// be told to do something while it idles.
type obedient struct {
	*rawTarget
	first chan net.Conn
	posts atomic.Int32
}

func newObedient(t *testing.T) *obedient {
	o := &obedient{first: make(chan net.Conn, 1)}
	o.rawTarget = newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		select {
		case o.first <- c:
		default:
		}
		for {
			head, err := readHead(r)
			if err != nil {
				return
			}
			if strings.HasPrefix(head, "POST") {
				req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), r)))
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, req.Body); err != nil {
					return
				}
				o.posts.Add(1)
			}
			_, _ = io.WriteString(c, ok(strings.Fields(head)[1]))
		}
	})
	return o
}

// kept has a client ask once, and returns the target's side of the connection that is
// kept behind that.
func (o *obedient) kept(t *testing.T) (*rig, *wire, net.Conn) {
	t.Helper()
	r := newRig(t, Settings{}, newService(o.addr))
	w := r.wire()
	w.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
	w.receive("GET")
	return r, w, next(t, o.first)
}

// deafen makes the kernel of whoever holds the socket drop every packet that
// carries a request: to it and to us, the request is still under way.
func deafen(t *testing.T, raw syscall.RawConn) {
	t.Helper()
	// Packets are seen from their TCP header on; those of the handshake are short.
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_LEN},
		{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: 80, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 16},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	})
	if err != nil || failed != nil {
		t.Fatalf("attach filter: %v, %v", err, failed)
	}
}

func rawOf(t *testing.T, c syscall.Conn) syscall.RawConn {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestServer_RFC9112_9_2_takesNoAnswerFromBeforeTheRequest(t *testing.T) {
	for _, c := range []struct {
		request string
		status  int
		body    string
	}{
		{"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n", 200, "/2"},
		// It may have been done, for all we know.
		{"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 502, ""},
		{"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", 502, ""},
	} {
		for _, crossing := range []bool{false, true} {
			t.Run(fmt.Sprintf("%.4s %d crossing %v", c.request, len(c.request), crossing), func(t *testing.T) {
				target := newObedient(t)
				r, w, conn := target.kept(t)
				poison := func() { _, _ = io.WriteString(conn, ok("poison")) }
				if crossing {
					kept := idleConn(t, r)
					kept.far = true
					deafen(t, rawOf(t, conn.(*net.TCPConn)))
					w.send(c.request)
					eventually(t, "the request is under way", func() bool {
						sent := 0
						_ = kept.raw.Control(func(fd uintptr) { sent = unacked(fd) })
						return sent > 0
					})
					poison()
				} else {
					betweenLookAndSend(t, r, func() {
						deafen(t, rawOf(t, conn.(*net.TCPConn)))
						poison()
					})
					w.send(c.request)
				}
				res, body := w.receive("")
				if res.StatusCode != c.status || c.body != "" && body != c.body || strings.Contains(body, "poison") {
					t.Errorf("got %d %q, want %d %q", res.StatusCode, body, c.status, c.body)
				}
			})
		}
	}
}

// Who says that it waits no more, and has nothing of the request, will not read it.
func TestServer_sendsAPostThatMetAGoodbyeOnAnotherConnection(t *testing.T) {
	target := newObedient(t)
	r, w, conn := target.kept(t)
	betweenLookAndSend(t, r, func() {
		deafen(t, rawOf(t, conn.(*net.TCPConn)))
		_, _ = io.WriteString(conn, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 3\r\nConnection: close\r\n\r\n408")
	})
	w.send("POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
	if res, body := w.receive("POST"); res.StatusCode != 200 || body != "/2" {
		t.Errorf("got %d %q, want it to be sent on a new connection", res.StatusCode, body)
	}
}

func TestServer_failsNoPostOnAConnectionThatIsJustClosing(t *testing.T) {
	for _, how := range []string{"FIN", "RST"} {
		for _, c := range []struct{ name, request, later string }{
			{"body at hand", "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", ""},
			{"no body", "PATCH /2 HTTP/1.1\r\nHost: a\r\n\r\n", ""},
			{"body later", "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", "hi"},
			{"long body", "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + string(payload(500_000)), ""},
			{"broken chunk", "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n2", "\r\nhi\r\n0\r\n\r\n"},
		} {
			t.Run(how+" "+c.name, func(t *testing.T) {
				target := newObedient(t)
				r, w, conn := target.kept(t)
				betweenLookAndSend(t, r, func() {
					if how == "RST" {
						_ = conn.(*net.TCPConn).SetLinger(0)
					}
					_ = conn.Close()
				})
				w.send(c.request)
				if c.later != "" {
					eventually(t, "it is tried again", func() bool { return r.server.counters.Retries.Load() == 1 })
					w.send(c.later)
				}
				if res, body := w.receive("POST"); res.StatusCode != 200 || body != "/2" {
					t.Fatalf("got %d %q, want it to be sent on a new connection", res.StatusCode, body)
				}
				if got := target.posts.Load(); got > 1 {
					t.Errorf("the target got it %d times", got)
				}
				if got := r.server.counters.Retries.Load(); got != 1 {
					t.Errorf("it was tried again %d times: the test met another moment", got)
				}
			})
		}
	}
}

// A target that read the request and closed then may have done what was asked.
func TestServer_sendsNoPostTwiceThatTheTargetRead(t *testing.T) {
	var seen atomic.Int32
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		for n := 1; ; n++ {
			head, err := readHead(r)
			if err != nil {
				return
			}
			if strings.HasPrefix(head, "POST") {
				seen.Add(1)
				return
			}
			_, _ = io.WriteString(c, ok("x"))
		}
	})
	r := newRig(t, Settings{}, newService(target.addr))
	for range 20 {
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		w.receive("GET")
		idleConn(t, r)
		dials := r.server.counters.Dials.Load()
		seen.Store(0)
		w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
		if res, _ := w.receive("POST"); res.StatusCode != 502 {
			t.Fatalf("got %d, want 502", res.StatusCode)
		}
		if got := seen.Load(); got != 1 {
			t.Fatalf("the target got it %d times, want once", got)
		}
		if r.server.counters.Dials.Load() != dials {
			t.Fatal("it was not sent on the kept connection")
		}
	}
}

// A target that refuses whoever connects is heard, but its connection has had
// its answer.
func TestServer_keepsNoConnectionThatSpokeFirst(t *testing.T) {
	var deaf net.ListenConfig
	deaf.SetMultipathTCP(false) // its sockets take no filter
	deaf.Control = func(_, _ string, raw syscall.RawConn) error {
		deafen(t, raw)
		return nil
	}
	ln, err := deaf.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := newRawTargetOn(t, ln, func(c net.Conn, r *bufio.Reader) {
		_, _ = io.WriteString(c, "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
		_, _ = r.WriteTo(io.Discard)
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	for range 3 {
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if res, body := w.receive("GET"); res.StatusCode != 503 || body != "busy" {
			t.Fatalf("got %d %q", res.StatusCode, body)
		}
	}
	if got := r.server.counters.Dials.Load(); got != 3 {
		t.Errorf("3 requests used %d connections", got)
	}
}

func TestTargetConn_untouched(t *testing.T) {
	accepted := make(chan net.Conn, 1)
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		accepted <- c
		_, _ = r.WriteTo(io.Discard)
	})
	tr, conn := connected(t, target.addr)
	defer tr.discard(conn)
	if conn.untouched() {
		t.Error("nothing was sent, and the target is said to lack it")
	}
	_, _ = conn.Write([]byte("x"))
	conn.sent.Store(1)
	eventually(t, "the byte is acknowledged", func() bool { return !conn.untouched() })
	next(t, accepted)
}
