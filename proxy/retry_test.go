package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"upfront/balancer"
	"upfront/health"
)

// deadAddress is where nobody listens: not a port that was free a moment ago,
// which the next listener of the test may get.
const deadAddress = "127.0.0.1:1"

func TestServer_sendsWhatReachedNoTargetToAnother(t *testing.T) {
	live := httpTarget(t, mirror)
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	} {
		r := newRig(t, Settings{}, newService(deadAddress, live))
		w := r.wire()
		for range 10 {
			w.send(request)
			res, body := w.receive("")
			if res.StatusCode != 200 || strings.HasPrefix(request, "POST") && body != "hello" {
				t.Fatalf("got %d %q", res.StatusCode, body)
			}
		}
	}
}

func TestServer_sendsABodyThatHasNotComeToAnotherTarget(t *testing.T) {
	r := newRig(t, Settings{}, newService(deadAddress, httpTarget(t, mirror)))
	for range 4 {
		w := r.wire()
		w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n")
		eventually(t, "a target was chosen", func() bool { return r.svc.Pool.Targets()[1].InFlight() == 1 })
		body := string(payload(50_000))
		w.send(body)
		if res, got := w.receive("POST"); res.StatusCode != 200 || got != body {
			t.Fatalf("got %d and %d bytes", res.StatusCode, len(got))
		}
	}
}

func TestServer_tellsWhenALoneTargetCannotBeReached(t *testing.T) {
	r := newRig(t, Settings{}, newService(deadAddress))
	w := r.wire()
	for range 2 {
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if res, _ := w.receive("GET"); res.StatusCode != 502 || res.Close {
			t.Fatalf("got %d, close %v", res.StatusCode, res.Close)
		}
	}
	if got := r.server.counters.DialErrors.Load(); got != 2 {
		t.Errorf("target was dialled %d times for 2 requests", got)
	}
}

func TestServer_boundsTheAttempts(t *testing.T) {
	var dead []string
	for range 7 {
		dead = append(dead, deadAddress)
	}
	r := newRig(t, Settings{}, newService(dead...))
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, _ := w.receive("GET"); res.StatusCode != 502 {
		t.Fatalf("got %d", res.StatusCode)
	}
	if got := r.server.counters.DialErrors.Load(); got != maxAttempts {
		t.Errorf("tried %d times, want %d", got, maxAttempts)
	}
}

// fickle is a target that answers, and then does as after says.
func fickle(t *testing.T, seen *atomic.Int32, after func(n int32, c net.Conn) (goOn bool)) *rawTarget {
	return newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		for {
			if _, err := readHead(r); err != nil {
				return
			}
			n := seen.Add(1)
			if !after(n, c) {
				return
			}
			_, _ = io.WriteString(c, ok(fmt.Sprint(n)))
		}
	})
}

func TestServer_hidesAKeptConnectionThatDies(t *testing.T) {
	// The target closes, or resets, instead of answering the second request of a
	// connection.
	for _, reset := range []bool{false, true} {
		t.Run(fmt.Sprintf("reset %v", reset), func(t *testing.T) {
			target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
				if _, err := readHead(r); err != nil {
					return
				}
				_, _ = io.WriteString(c, ok("x"))
				if _, err := readHead(r); err == nil && reset {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
			})
			r := newRig(t, Settings{}, newService(target.addr))
			w := r.wire()
			for range 6 {
				w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				if res, _ := w.receive("GET"); res.StatusCode != 200 {
					t.Fatalf("got %d", res.StatusCode)
				}
			}
		})
	}
}

// A target that is tired of a kept connection says so with a 408, which may cross
// with a request (RFC 9110 §15.5.9).
func TestServer_sendsWhatMetAGoodbyeOnAnotherConnection(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	const closing = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 3\r\nConnection: close\r\n\r\n408"
	for _, c := range []struct {
		name, answer, request string
		fresh                 bool // it is the first answer of a connection
		want                  int
	}{
		{"closing", closing, get, false, 200},
		{"until its end", "HTTP/1.1 408 Request Timeout\r\n\r\n408", get, false, 200},
		{"in HTTP/1.0", "HTTP/1.0 408 Request Timeout\r\nContent-Length: 3\r\n\r\n408", get, false, 200},
		{"body at hand", closing, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", false, 200},
		{"of one that goes on", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 3\r\n\r\n408", get, false, 408},
		{"behind a hint", "HTTP/1.1 103 Early Hints\r\n\r\n" + closing, get, false, 408},
		{"another status", strings.Replace(closing, "408", "503", 1), get, false, 503},
		{"to what it may have done", closing, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", false, 408},
		{"on a new connection", closing, get, true, 408},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := newRawTarget(t, func(conn net.Conn, r *bufio.Reader) {
				for n := 1; ; n++ {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					if n == 2 || c.fresh {
						_, _ = io.WriteString(conn, c.answer)
						return
					}
					_, _ = io.WriteString(conn, ok("x"))
				}
			})
			r := newRig(t, Settings{}, newService(target.addr))
			if !c.fresh {
				w := r.wire()
				w.send(get)
				w.receive("GET")
				tr := r.svc.Pool.Targets()[0].Transport().(*transport)
				tr.trust.open(time.Minute) // also what must not be sent twice goes on a kept connection
				eventually(t, "the connection is kept", func() bool { _, kept := tr.idleSince(); return kept })
			}
			w := r.wire()
			w.send(c.request)
			method, _, _ := strings.Cut(c.request, " ")
			if method == "GET" && strings.Contains(c.answer, " 103 ") {
				w.head()
			}
			if res, _ := w.receive(method); res.StatusCode != c.want {
				t.Errorf("got %d, want %d", res.StatusCode, c.want)
			}
		})
	}
}

func TestServer_noticesAConnectionThatTheTargetClosed(t *testing.T) {
	closed := make(chan struct{}, 16)
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err != nil {
			return
		}
		_, _ = io.WriteString(c, ok("x"))
		_ = c.Close()
		closed <- struct{}{}
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	for range 6 { // not even a request that must not be sent twice sees it
		w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
		if res, _ := w.receive("POST"); res.StatusCode != 200 {
			t.Fatalf("got %d", res.StatusCode)
		}
		next(t, closed)
		conn := r.svc.Pool.Targets()[0].Transport().(*transport)
		eventually(t, "the close has arrived", func() bool {
			conn.mu.Lock()
			defer conn.mu.Unlock()
			return len(conn.idle) == 0 || !conn.idle[0].quiet()
		})
	}
	if got := r.server.counters.Retries.Load(); got != 0 {
		t.Errorf("%d requests were sent again", got)
	}
}

func TestServer_neverSendsARequestTwiceThatMayHaveBeenSeen(t *testing.T) {
	for _, c := range []struct {
		name, request string
		want          int32
		status        int
	}{
		{"GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 2, 502},
		{"PUT", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 2, 502},
		{"POST", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 1, 502},
		{"PATCH", "PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 1, 502},
		{"PROPFIND", "PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", 1, 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen atomic.Int32
			die := func(int32, net.Conn) bool { return false }
			r := newRig(t, Settings{}, newService(fickle(t, &seen, die).addr, fickle(t, &seen, die).addr))
			w := r.wire()
			w.send(c.request)
			if res, _ := w.receive(""); res.StatusCode != c.status {
				t.Errorf("got %d, want %d", res.StatusCode, c.status)
			}
			if got := seen.Load(); got != c.want {
				t.Errorf("targets saw it %d times, want %d", got, c.want)
			}
		})
	}
}

func TestServer_neverSendsABodyTwice(t *testing.T) {
	var seen atomic.Int32
	die := func(c net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err == nil {
			seen.Add(1)
			_, _ = io.CopyN(io.Discard, r, 30_000)
		}
	}
	r := newRig(t, Settings{}, newService(newRawTarget(t, die).addr, newRawTarget(t, die).addr))
	w := r.wire()
	w.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n")
	w.send(string(payload(60_000)))
	if res, _ := w.receive("PUT"); res.StatusCode != 502 {
		t.Errorf("got %d", res.StatusCode)
	}
	if got := seen.Load(); got != 1 {
		t.Errorf("targets saw it %d times, want once", got)
	}
}

func TestServer_keepsTimeoutsToThemselves(t *testing.T) {
	var seen atomic.Int32
	hang := func(_ net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err == nil {
			seen.Add(1)
			_, _ = r.ReadByte()
		}
	}
	svc := newService(newRawTarget(t, hang).addr, newRawTarget(t, hang).addr)
	svc.TargetTimeout = 50 * time.Millisecond
	r := newRig(t, Settings{}, svc)
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, _ := w.receive("GET"); res.StatusCode != 504 || res.Close {
		t.Errorf("got %d, close %v", res.StatusCode, res.Close)
	}
	if got := seen.Load(); got != 1 {
		t.Errorf("targets saw it %d times, want once", got)
	}
}

// suspected is a service of one target that reports what makes it suspect.
func suspected(address string) (svc *balancer.Target, reasons chan string) {
	reasons = make(chan string, 16)
	return balancer.NewTarget(balancer.TargetOptions{
		Address: address, Health: health.Healthy, PassiveFailures: 1,
		Transport: NewTransport(address, func() time.Duration { return time.Second }),
		OnSuspect: func(reason string) { reasons <- reason },
	}), reasons
}

func TestServer_givesEvidenceOfWhatTheTargetDid(t *testing.T) {
	hang := func(_ net.Conn, r *bufio.Reader) { _, _ = r.WriteTo(io.Discard) }
	for _, c := range []struct {
		name string
		addr string
		want string
	}{
		{"refused", deadAddress, "connect: "},
		{"closed", newRawTarget(t, func(_ net.Conn, r *bufio.Reader) { _, _ = readHead(r) }).addr, "await: "},
		{"no answer", newRawTarget(t, hang).addr, "await: "},
		{"an answer", answering(t, ok("x")).addr, ""},
		{"an error", answering(t, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n").addr, ""},
		{"nonsense", answering(t, "HELLO\r\n\r\n").addr, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc := newService()
			svc.TargetTimeout = 50 * time.Millisecond
			target, reasons := suspected(c.addr)
			svc.Pool = balancer.NewPool([]*balancer.Target{target}, balancer.PoolOptions{})
			r := newRig(t, Settings{}, svc)
			w := r.wire()
			w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			w.receive("GET")
			got := ""
			select {
			case got = <-reasons:
			default:
			}
			if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
				t.Errorf("got evidence %q, want %q", got, c.want)
			}
		})
	}
}

// Targets that reset every request get a fifth more of them, not twice or four
// times as many, however many targets there are to try.
func TestServer_addsAFifthToTheLoadOfTargetsThatFail(t *testing.T) {
	var seen atomic.Int32
	die := func(int32, net.Conn) bool { return false }
	var addresses []string
	for range 4 {
		addresses = append(addresses, fickle(t, &seen, die).addr)
	}
	svc := newService(addresses...)
	svc.Retries = balancer.NewRetryBudget()
	r := newRig(t, Settings{}, svc)
	began := time.Now()
	const clients, each = 8, 500
	var running sync.WaitGroup
	for range clients {
		w := r.wire()
		running.Go(func() {
			for range each {
				_ = w.SetDeadline(time.Now().Add(10 * time.Second))
				if _, err := io.WriteString(w, plainGET); err != nil {
					t.Error(err)
					return
				}
				res, err := http.ReadResponse(w.r, nil)
				if err != nil || res.StatusCode != 502 {
					t.Errorf("got %v, %v", res, err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
			}
		})
	}
	running.Wait()
	const requests = clients * each
	allowed := requests + 1000 + requests/5 + int(10*time.Since(began).Seconds()) + 1
	if got := int(seen.Load()); got > allowed || got < requests+1000 {
		t.Errorf("targets saw %d requests for %d, want from %d to %d", got, requests, requests+1000, allowed)
	}
	counted := r.server.Counters()
	if counted["upfront_retries_refused_total"] == 0 {
		t.Error("no retry was refused")
	}
	if got, want := counted["upfront_retries_total"], uint64(seen.Load()-requests); got != want {
		t.Errorf("%d retries were counted, want %d", got, want)
	}
	t.Logf("%d attempts for %d requests in %v", seen.Load(), requests, time.Since(began))
}

func TestServer_triesTargetsThatCannotBeReachedWhateverTheBudget(t *testing.T) {
	svc := newService(deadAddress, deadAddress, httpTarget(t, mirror))
	svc.Retries = balancer.NewRetryBudget()
	for svc.Retries.Spend(time.Unix(0, 0)) { // until it is empty
	}
	r := newRig(t, Settings{}, svc)
	w := r.wire()
	for range 30 {
		w.send(plainGET)
		if res, _ := w.receive("GET"); res.StatusCode != 200 {
			t.Fatalf("got %d", res.StatusCode)
		}
	}
}
