package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func TestTrust_isAPartOfWhatWasSurvived(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name         string
		open, closed []time.Duration // in this order
		want         time.Duration
	}{
		{"nothing is known", nil, nil, 0},
		{"one survived", []time.Duration{800 * ms}, nil, 200 * ms},
		{"too short to be trusted", []time.Duration{499 * ms}, nil, 0},
		{"the longest counts", []time.Duration{800 * ms, 10 * ms}, nil, 200 * ms},
		{"no more than the most", []time.Duration{time.Minute}, nil, freshFor},
		{"closed sooner", []time.Duration{time.Minute}, []time.Duration{600 * ms}, 150 * ms},
		{"closed much sooner", []time.Duration{time.Minute}, []time.Duration{50 * ms}, 0},
		{"closed at an unknown time before", []time.Duration{800 * ms}, []time.Duration{time.Second}, 200 * ms},
	} {
		var got trust
		for _, d := range c.open {
			got.open(d)
		}
		now := time.Now()
		for _, d := range c.closed {
			got.closed(now, d)
		}
		if got.fresh(now) != c.want {
			t.Errorf("%s: trusts for %v, want %v", c.name, got.fresh(now), c.want)
		}
	}
}

func TestTrust_forgivesATargetThatClosedQuickly(t *testing.T) {
	var got trust
	now := time.Now()
	got.closed(now, 50*time.Millisecond)
	got.open(time.Minute) // it may have been too busy to close that one
	if fresh := got.fresh(now.Add(quickFor - 1)); fresh != 0 {
		t.Errorf("trusts for %v although it has just closed one quickly", fresh)
	}
	if fresh := got.fresh(now.Add(quickFor)); fresh != freshFor {
		t.Errorf("trusts for %v after a while, want %v", fresh, freshFor)
	}
}

// idleConn adds a new idle connection to tr.
func idledConn(t *testing.T, tr *transport, since time.Time) *targetConn {
	t.Helper()
	conn := tr.newConn()
	if err := conn.connect(); err != nil {
		t.Fatal(err)
	}
	tr.put(conn, since)
	return conn
}

func TestTransport_take_trustsOnlyWhatTheTargetWillNotClose(t *testing.T) {
	const ms = time.Millisecond
	tr, first := connected(t, newRawTarget(t, silent).addr)
	now := time.Now()
	tr.put(first, now)
	if got := tr.take(now.Add(10*ms), true); got != nil {
		t.Error("got a connection of a target of which nothing is known")
	}
	if got := tr.take(now.Add(-ms), true); got != nil {
		t.Error("got one that was put back a moment after we looked at the clock")
	}
	second := idledConn(t, tr, now.Add(450*ms))
	if got := tr.take(now.Add(599*ms), true); got != second {
		t.Error("got no connection although one has idled for four times as long")
	}
	tr.put(second, now.Add(600*ms))
	if got := tr.take(now.Add(3*time.Second), true); got != nil {
		t.Error("got a connection that idled for longer than the most that is trusted")
	}
	if n := len(tr.idle); n != 1 {
		t.Errorf("%d idle connections are left of 2, beside the one that will be dialled", n)
	}
}

func TestTransport_take_keepsTheOldestUntilItHasShownEnough(t *testing.T) {
	tr, first := connected(t, newRawTarget(t, silent).addr)
	now := time.Now()
	tr.put(first, now)
	for i := range 10 {
		idledConn(t, tr, now)
		if got := tr.take(now.Add(time.Duration(i+1)*time.Millisecond), true); got != nil {
			t.Fatal("got a connection although none has idled for longer")
		}
		if len(tr.idle) != 1 || tr.idle[0] != first {
			t.Fatalf("%d idle connections are left, want the oldest", len(tr.idle))
		}
	}
}

func TestTransport_take_trustsLessOnceTheTargetClosed(t *testing.T) {
	const ms = time.Millisecond
	var conns atomic.Int32
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		if conns.Add(1) > 1 {
			silent(c, r)
		}
	})
	tr, dead := connected(t, target.addr)
	tr.trust.open(time.Minute)
	now := time.Now()
	tr.put(dead, now)
	eventually(t, "the end has arrived", func() bool { return !dead.quiet() })
	if got := tr.take(now.Add(800*ms), false); got != nil {
		t.Fatal("got a connection that the target has closed")
	}
	kept := idledConn(t, tr, now)
	if got := tr.take(now.Add(199*ms), true); got != kept {
		t.Error("got no connection although it is well clear of that time")
	}
	tr.put(kept, now)
	if got := tr.take(now.Add(201*ms), true); got != nil {
		t.Error("a request that must not be sent twice got a connection about to be closed")
	}
}

func TestTransport_closeIdle_learnsFromWhatIdledToTheEnd(t *testing.T) {
	tr, conn := connected(t, newRawTarget(t, silent).addr)
	tr.put(conn, time.Now().Add(-2*targetIdle))
	tr.closeIdle()
	if got := tr.trust.fresh(time.Now()); got != freshFor {
		t.Errorf("trusts for %v after a connection was open to the end, want %v", got, freshFor)
	}
}

// blind makes the idle connections of a target look silent, as they are when the
// target closes them just after the look.
func blind(tr *transport) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, conn := range tr.idle {
		conn.peek = func(uintptr) { conn.silent = true }
	}
}

func TestServer_sendsAgainWhatACloseCrossed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system does not say what the target acknowledged")
	}
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n" + string(payload(3000)),
	} {
		var seen atomic.Int32
		target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
			if _, err := readHead(r); err != nil {
				return
			}
			_, _ = io.WriteString(c, ok(fmt.Sprint(seen.Add(1))))
		})
		r := newRig(t, Settings{}, newService(target.addr))
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		w.receive("GET")
		tr := r.svc.Pool.Targets()[0].Transport().(*transport)
		eventually(t, "the close has arrived", func() bool {
			tr.mu.Lock()
			defer tr.mu.Unlock()
			return len(tr.idle) == 1 && !tr.idle[0].quiet()
		})
		blind(tr)
		tr.trust.open(time.Minute)
		w.send(request)
		if res, body := w.receive("POST"); res.StatusCode != 200 || body != "2" {
			t.Errorf("got %d %q, want the second answer of the target", res.StatusCode, body)
		}
		if got := r.server.counters.Retries.Load(); got != 1 {
			t.Errorf("%d requests were sent again, want 1", got)
		}
	}
}

func TestServer_sendsNothingAgainThatTheTargetTook(t *testing.T) {
	var seen atomic.Int32
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err != nil {
			return
		}
		_, _ = io.WriteString(c, ok("x"))
		if _, err := readHead(r); err == nil {
			seen.Add(1)
			_, _ = io.CopyN(io.Discard, r, 2)
		}
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	w.receive("GET")
	r.svc.Pool.Targets()[0].Transport().(*transport).trust.open(time.Minute)
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
	if res, _ := w.receive("POST"); res.StatusCode != 502 {
		t.Errorf("got %d, want 502", res.StatusCode)
	}
	if got := seen.Load(); got != 1 {
		t.Errorf("target saw it %d times, want once", got)
	}
}
