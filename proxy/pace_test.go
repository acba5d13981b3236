package proxy

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestPace_left(t *testing.T) {
	for _, c := range []struct {
		name string
		pace pace
		want time.Duration
	}{
		{"at the beginning", pace{rate: 500, grace: 10 * time.Second}, 10 * time.Second},
		{"after a while", pace{rate: 500, grace: 10 * time.Second, waited: 4 * time.Second}, 6 * time.Second},
		{"with a second's bytes", pace{rate: 500, grace: 10 * time.Second, waited: 4 * time.Second, got: 500}, 7 * time.Second},
		{"with a few bytes", pace{rate: 500, grace: 10 * time.Second, got: 250}, 10500 * time.Millisecond},
		{"at the end", pace{rate: 500, grace: 10 * time.Second, waited: 11 * time.Second, got: 500}, 0},
		{"beyond", pace{rate: 500, grace: 10 * time.Second, waited: time.Hour, got: 500}, 0},
		{"without grace", pace{rate: 500, got: 500}, time.Second},
		{"of any rate", pace{rate: -1, waited: time.Hour}, -1},
		{"of the zero rate", pace{waited: time.Hour}, -1},
		{"of a huge body", pace{rate: 1, got: math.MaxInt64}, longest},
		{"of a huge rate", pace{rate: 1 << 30, got: 1 << 29}, 500 * time.Millisecond},
	} {
		if got := c.pace.left(); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestServer_givesUpOnBodiesThatTrickle(t *testing.T) {
	whole := make(chan bool, 4)
	addr := httpTarget(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		whole <- err == nil
	})
	r := newRig(t, Settings{BodyRate: 100_000, BodyGrace: 100 * time.Millisecond}, newService(addr))
	for _, framing := range []string{"Content-Length: 100000", "Transfer-Encoding: chunked"} {
		w := r.wire()
		w.send("POST / HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n\r\n")
		stop := make(chan struct{})
		go func() {
			tick := time.NewTicker(20 * time.Millisecond) // always within the body timeout
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					_, _ = io.WriteString(w, "1\r\nx\r\n")
				case <-stop:
					return
				}
			}
		}()
		res, _ := w.receive("POST")
		close(stop)
		if res.StatusCode != 408 || !res.Close {
			t.Fatalf("%s: got %d, close %v", framing, res.StatusCode, res.Close)
		}
		if next(t, whole) {
			t.Error("target took the body for whole")
		}
	}
	if got := r.server.Counters()["upfront_slow_bodies_total"]; got != 2 {
		t.Errorf("%d were counted, want 2", got)
	}
}

func TestServer_bearsBodiesThatAreFastEnough(t *testing.T) {
	r := newRig(t, Settings{BodyRate: 10, BodyGrace: 50 * time.Millisecond}, newService(httpTarget(t, mirror)))
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 20 { // longer than the grace in all
		<-tick.C
		w.send("0123456789")
	}
	if res, body := w.receive("POST"); res.StatusCode != 200 || len(body) != 200 {
		t.Fatalf("got %d and %d bytes", res.StatusCode, len(body))
	}
}

func TestServer_holdsNoSlowTargetAgainstABody(t *testing.T) {
	const size = 32 << 20 // more than the kernel takes
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err != nil {
			return
		}
		<-time.After(1500 * time.Millisecond)
		if n, _ := io.CopyN(io.Discard, r, size); n == size {
			_, _ = io.WriteString(c, ok("whole"))
		}
	})
	r := newRig(t, Settings{BodyRate: 1 << 30, BodyGrace: time.Second}, newService(target.addr))
	w := r.wire()
	w.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size))
	if err := w.uploadAll(size); err != nil {
		t.Errorf("the upload broke off: %v", err)
	}
	if res, body := w.receive("POST"); body != "whole" {
		t.Fatalf("got %d %q", res.StatusCode, body)
	}
}

// Once it is asked for, a body has the time of any other.
func TestServer_givesUpOnBodiesThatAreAskedForInVain(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings Settings
		begin    string
		slow     uint64
	}{
		{"silence", Settings{BodyRate: 1000, BodyGrace: 50 * time.Millisecond}, "", 1},
		{"a beginning", Settings{BodyRate: 1000, BodyGrace: 50 * time.Millisecond}, "h", 1},
		{"within the grace", Settings{BodyTimeout: 50 * time.Millisecond, BodyRate: 1, BodyGrace: time.Minute}, "", 0},
		{"at any rate", Settings{BodyTimeout: 50 * time.Millisecond, BodyRate: -1}, "h", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := newRawTarget(t, func(conn net.Conn, r *bufio.Reader) {
				_, _ = readHead(r)
				_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
				_, _ = r.WriteTo(io.Discard)
			})
			r := newRig(t, c.settings, newService(target.addr))
			w := r.wire()
			w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
			if head := w.head(); head != "HTTP/1.1 100 Continue\r\n\r\n" {
				t.Fatalf("got %q", head)
			}
			w.send(c.begin)
			if res, _ := w.receive("POST"); res.StatusCode != 408 || !res.Close {
				t.Fatalf("got %d, close %v, want 408", res.StatusCode, res.Close)
			}
			if got := r.server.Counters()["upfront_slow_bodies_total"]; got != c.slow {
				t.Errorf("%d were counted as slow, want %d", got, c.slow)
			}
		})
	}
}

// What the client waits for before it sends is not its time.
func TestServer_holdsNoLate100AgainstABody(t *testing.T) {
	half := make(chan struct{}, 1)
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err != nil {
			return
		}
		<-time.After(800 * time.Millisecond)
		_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		_, _ = io.CopyN(io.Discard, r, 2)
		half <- struct{}{}
		if n, _ := io.CopyN(io.Discard, r, 3); n == 3 {
			_, _ = io.WriteString(c, ok("whole"))
		}
	})
	r := newRig(t, Settings{BodyRate: 1 << 20, BodyGrace: 500 * time.Millisecond}, newService(target.addr))
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	if head := w.head(); head != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("got %q", head)
	}
	w.send("he")
	next(t, half)
	w.send("llo")
	if res, body := w.receive("POST"); body != "whole" {
		t.Fatalf("got %d %q", res.StatusCode, body)
	}
}
