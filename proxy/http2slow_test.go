package proxy

import (
	"testing"
	"time"

	"golang.org/x/net/http2"
)

func TestHTTP2_slowHeadIsCut(t *testing.T) {
	for name, begin := range map[string]func(w *h2wire){
		"frames to come": func(w *h2wire) {
			w.ok(w.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: w.encode(":method: GET"), EndStream: true}))
		},
		"part of a frame":  func(w *h2wire) { w.must(w.conn.Write([]byte{0, 0, 9, 1, 5, 0, 0, 0, 1, 0x82})) },
		"start of a frame": func(w *h2wire) { w.must(w.conn.Write([]byte{0, 0, 9})) },
		"behind a request": func(w *h2wire) {
			w.get(1, "/")
			w.answer(1)
			w.ok(w.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: w.encode(":method: GET"), EndStream: true}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Settings{CleartextHTTP2: true, HeadTimeout: 200 * time.Millisecond}, newService(httpTarget(t, mirror)))
			w := r.h2wire()
			begin(w)
			w.ended()
			if n := r.server.counters.HTTP2Calmed.Load(); n != 1 {
				t.Errorf("%d connections ended for what their clients did, want 1", n)
			}
		})
	}
}

// A slow body has limits of its own, and so has a client that asks nothing.
func TestHTTP2_headTimeoutIsForHeads(t *testing.T) {
	const limit = 100 * time.Millisecond
	r := newRig(t, Settings{CleartextHTTP2: true, HeadTimeout: limit}, newService(httpTarget(t, mirror)))
	w := r.h2wire()
	silent := func() {
		t.Helper()
		_ = w.conn.SetReadDeadline(time.Now().Add(3 * limit))
		for {
			if f, err := w.framer.ReadFrame(); err != nil && timedOut(err) {
				return
			} else if err != nil || f.Header().Type == http2.FrameGoAway {
				t.Fatalf("got %v, %v, want silence", f, err)
			}
		}
	}
	silent()
	w.headers(1, false, ":method: POST", ":scheme: http", ":path: /", ":authority: a.example")
	w.must(w.conn.Write([]byte{0, 0, 4, 0, 1, 0, 0, 0, 1, 'b', 'o'}))
	silent()
	w.must(w.conn.Write([]byte("dy")))
	if a := w.answer(1); a.status != "200" || a.body != "body" {
		t.Errorf("got %+v, want 200 body", a)
	}
}
