package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestServer_boundsHeads(t *testing.T) {
	r := newRig(t, Settings{}, newService(answering(t, ok("x")).addr))
	for _, c := range []struct {
		name, fields string
		want         int
	}{
		{"large", "X: " + strings.Repeat("x", 60_000) + "\r\n", 200},
		{"too large", "X: " + strings.Repeat("x", 66_000) + "\r\n", 431},
		{"far too large", "X: " + strings.Repeat("x", 1<<20) + "\r\n", 431},
		{"many fields", strings.Repeat("X: 1\r\n", 99), 200},
		{"too many fields", strings.Repeat("X: 1\r\n", 100), 431},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := r.wire()
			w.send("GET / HTTP/1.1\r\nHost: a\r\n" + c.fields + "\r\n")
			if res, _ := w.receive("GET"); res.StatusCode != c.want || res.Close != (c.want != 200) {
				t.Fatalf("got %d, close %v, want %d", res.StatusCode, res.Close, c.want)
			}
		})
	}
}

func TestServer_boundsLongTargets(t *testing.T) {
	r := newRig(t, Settings{}, newService(answering(t, ok("x")).addr))
	w := r.wire()
	w.send("GET /" + strings.Repeat("x", 70_000))
	if res, _ := w.receive("GET"); res.StatusCode != 414 || !res.Close {
		t.Fatalf("got %d, close %v", res.StatusCode, res.Close)
	}
}

func TestServer_givesUpOnHeadsThatNeverEnd(t *testing.T) {
	r := newRig(t, Settings{HeadTimeout: 100 * time.Millisecond}, newService(answering(t, ok("x")).addr))
	for _, start := range []string{"G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: "} {
		w := r.wire()
		w.send(start)
		// One byte now and then does not buy more time.
		tick := time.NewTicker(10 * time.Millisecond)
		res := make(chan *http.Response, 1)
		go func() {
			answer, _ := http.ReadResponse(w.r, nil)
			res <- answer
		}()
		var answer *http.Response
		for answer == nil {
			select {
			case answer = <-res:
			case <-tick.C:
				_, _ = io.WriteString(w, "x")
			}
		}
		tick.Stop()
		if answer.StatusCode != 408 || !answer.Close {
			t.Errorf("%q: got %d, close %v", start, answer.StatusCode, answer.Close)
		}
	}
}

func TestServer_takesNegativeTimeoutsForOff(t *testing.T) {
	off := Settings{HeadTimeout: -1, IdleTimeout: -1, ConnectTimeout: -1, BodyTimeout: -1, TunnelTimeout: -1}
	svc := newService(httpTarget(t, mirror))
	svc.TargetTimeout = -1
	r := newRig(t, off, svc)
	svc.Pool.Targets()[0].Transport().(*transport).connectTimeout = r.server.ConnectTimeout
	w := r.wire()
	for range 3 {
		w.send("POST / HTTP/1.1\r\n", "Host: a\r\nContent-", "Length: 50000\r\n\r\n", string(payload(25_000)), string(payload(25_000)))
		if res, body := w.receive("POST"); res.StatusCode != 200 || len(body) != 50_000 {
			t.Fatalf("got %d and %d bytes", res.StatusCode, len(body))
		}
	}
}

func TestServer_closesIdleConnections(t *testing.T) {
	r := newRig(t, Settings{IdleTimeout: 50 * time.Millisecond}, newService(answering(t, ok("x")).addr))
	w := r.wire()
	w.ends(true)
	w = r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	w.receive("GET")
	w.ends(true)
}

func TestServer_givesUpOnUploadsThatStop(t *testing.T) {
	broken := make(chan bool, 4)
	addr := httpTarget(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		broken <- err != nil
	})
	r := newRig(t, Settings{BodyTimeout: 50 * time.Millisecond}, newService(addr))
	for _, framing := range []string{"Content-Length: 100", "Transfer-Encoding: chunked"} {
		w := r.wire()
		w.send("POST / HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n\r\n5\r\nhello\r\n")
		if res, _ := w.receive("POST"); res.StatusCode != 408 || !res.Close {
			t.Fatalf("got %d, close %v", res.StatusCode, res.Close)
		}
		if !next(t, broken) {
			t.Error("target took the body for whole")
		}
	}
}

func TestServer_bearsUploadsThatAreSlow(t *testing.T) {
	r := newRig(t, Settings{BodyTimeout: 200 * time.Millisecond}, newService(httpTarget(t, mirror)))
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 10 { // longer than the timeout in all
		<-tick.C
		w.send("x")
	}
	if res, body := w.receive("POST"); res.StatusCode != 200 || len(body) != 10 {
		t.Fatalf("got %d %q", res.StatusCode, body)
	}
}

func TestServer_givesUpOnClientsThatDoNotRead(t *testing.T) {
	gone := make(chan struct{}, 1)
	addr := httpTarget(t, func(w http.ResponseWriter, _ *http.Request) {
		b := payload(1 << 20)
		for {
			if _, err := w.Write(b); err != nil {
				gone <- struct{}{}
				return
			}
		}
	})
	r := newRig(t, Settings{BodyTimeout: 50 * time.Millisecond}, newService(addr))
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	next(t, gone)
	if _, err := io.Copy(io.Discard, w.r); err == nil {
		t.Error("connection ended cleanly")
	}
}

func TestServer_bearsClientsThatReadSlowly(t *testing.T) {
	const size = 16 << 20 // more than the kernel takes
	addr := httpTarget(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		_, _ = w.Write(payload(size))
	})
	r := newRig(t, Settings{BodyTimeout: 150 * time.Millisecond}, newService(addr))
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	w.head()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	read := int64(0)
	for range 25 { // longer than the timeout in all
		<-tick.C
		n, err := io.CopyN(io.Discard, w.r, 256<<10)
		if err != nil {
			t.Fatalf("connection ended after %d bytes: %v", read, err)
		}
		read += n
	}
	if n, err := io.CopyN(io.Discard, w.r, size-read); err != nil {
		t.Fatalf("connection ended after %d bytes: %v", read+n, err)
	}
}
