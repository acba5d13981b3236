package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"upfront/service"
)

// closedWindow is a client's that reads nothing until it opens it.
var closedWindow = http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}

// openWindow makes room for everything.
func (w *h2wire) openWindow() {
	w.t.Helper()
	w.ok(w.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
	w.ok(w.framer.WriteWindowUpdate(0, 1<<30))
}

// whole compares what a stream brings with want, which is too long to show.
func (w *h2wire) whole(stream uint32, want string) {
	w.t.Helper()
	if a := w.answer(stream); a.status != "200" || a.body != want || !a.whole {
		w.t.Fatalf("got %s and %d bytes, whole: %v; want other %d", a.status, len(a.body), a.whole, len(want))
	}
}

// eachHTTP2 runs a test for clients of HTTP/2 without TLS and with it.
func eachHTTP2(t *testing.T, settings Settings, svc func() *service.Service, test func(*testing.T, *rig, *h2wire)) {
	t.Run("cleartext", func(t *testing.T) {
		settings := settings
		settings.CleartextHTTP2 = true
		r := newRig(t, settings, svc())
		test(t, r, r.h2wire(closedWindow))
	})
	t.Run("TLS", func(t *testing.T) {
		r, _ := newTLSRig(t, settings, svc(), "a", "a.example")
		test(t, r, r.h2tls(closedWindow))
	})
}

func TestReadAhead_freesTheTargetOfAnHTTP2Client(t *testing.T) {
	for _, size := range []int{1, 5000, 60_000, 2 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			body := payload(size)
			addr, gave := giving(t, fixed(size), body)
			eachHTTP2(t, Settings{}, func() *service.Service { return leading(addr) }, func(t *testing.T, r *rig, w *h2wire) {
				w.get(1, "/")
				if err := next(t, gave); err != nil {
					t.Fatalf("target could not give its answer away: %v", err)
				}
				eventually(t, "the target is free", func() bool { return r.inFlight() == 0 })
				want := uint64(0)
				if size > 64<<10 {
					want = 1
				}
				if files := r.server.Counters()["upfront_spool_files"]; files != want {
					t.Errorf("%d files are open while the client has read nothing, want %d", files, want)
				}
				w.openWindow()
				w.whole(1, string(body))
				eventually(t, "the file is closed", func() bool { return r.server.Counters()["upfront_spool_files"] == 0 })
				w.get(3, "/")
				w.whole(3, string(body))
				next(t, gave)
			})
		})
	}
}

func TestReadAhead_leavesStreamsOfAnHTTP2ClientAlone(t *testing.T) {
	chunks := fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n\r\n", large, payload(large))
	for _, c := range []struct {
		name, head string
		body       []byte
	}{
		{"told not to", fixed(large, "X-Accel-Buffering: no\r\n"), payload(large)},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunks},
		{"events", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", chunks},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr, gave := giving(t, c.head, c.body)
			eachHTTP2(t, Settings{}, func() *service.Service { return leading(addr) }, func(t *testing.T, r *rig, w *h2wire) {
				w.get(1, "/")
				if a := w.answerOfAny(); a.status != "200" {
					t.Fatalf("got %+v", a)
				}
				r.holdsBack(gave)
				w.ok(w.framer.WriteRSTStream(1, http2.ErrCodeCancel))
				next(t, gave)
			})
		})
	}
}

func TestReadAhead_delaysNoPieceToAnHTTP2Client(t *testing.T) {
	goOn := make(chan struct{})
	addr := pieces(t, goOn, "one", "two", "end")
	eachHTTP2(t, Settings{}, func() *service.Service { return leading(addr) }, func(t *testing.T, _ *rig, w *h2wire) {
		w.openWindow()
		for stream := range uint32(2) {
			w.get(1+2*stream, "/")
			if a := w.answerOfAny(); a.status != "200" {
				t.Fatalf("got %+v", a)
			}
			for _, piece := range []string{"one", "two", "end"} {
				goOn <- struct{}{}
				for got := ""; got != piece; {
					got += string(w.next().(*http2.DataFrame).Data())
				}
			}
		}
	})
}

func TestReadAhead_resetsBehindWhatCameWhenTheTargetOfAnHTTP2ClientBreaksOff(t *testing.T) {
	body := payload(1 << 20)
	addr, gave := giving(t, fixed(len(body)+1), body)
	eachHTTP2(t, Settings{}, func() *service.Service { return leading(addr) }, func(t *testing.T, r *rig, w *h2wire) {
		w.get(1, "/")
		next(t, gave)
		if n := next(t, r.drained()); n != 1 {
			t.Errorf("drain cut %d exchanges, want 1", n)
		}
		w.openWindow()
		a := w.answer(1)
		if a.reset == nil || *a.reset != http2.ErrCodeInternal || a.body == "" || !strings.HasPrefix(string(body), a.body) {
			t.Errorf("got %d bytes and the reset %v, want what came and INTERNAL_ERROR", len(a.body), a.reset)
		}
		eventually(t, "it is counted", func() bool { return r.server.counters.Aborted.Load() == 1 })
	})
}

func TestReadAhead_endsWithAnHTTP2Client(t *testing.T) {
	for _, given := range []int{large, large - 1} {
		for _, how := range []string{"closes", "resets its stream", "stops reading"} {
			t.Run(fmt.Sprintf("%d of %d bytes, %s", given, large, how), func(t *testing.T) {
				addr, gave := giving(t, fixed(large), payload(given))
				eachHTTP2(t, Settings{BodyTimeout: 2 * time.Second}, func() *service.Service { return leading(addr) }, func(t *testing.T, r *rig, w *h2wire) {
					w.get(1, "/")
					next(t, gave)
					switch how {
					case "closes":
						_ = w.conn.Close()
					case "resets its stream":
						w.ok(w.framer.WriteRSTStream(1, http2.ErrCodeCancel))
					case "stops reading":
						if a := w.answer(1); a.reset == nil {
							t.Errorf("got %d bytes, want a reset", len(a.body))
						}
					}
					eventually(t, "everything is given back", func() bool {
						return r.server.Counters()["upfront_spool_files"] == 0 && r.inFlight() == 0
					})
				})
			})
		}
	}
}

func TestReadAhead_ofAnHTTP2ClientEndsAtTheDeadlineOfAShutdown(t *testing.T) {
	addr, gave := giving(t, fixed(large), payload(large))
	eachHTTP2(t, Settings{}, func() *service.Service { return leading(addr) }, func(t *testing.T, r *rig, w *h2wire) {
		w.get(1, "/")
		next(t, gave)
		eventually(t, "the target is free", func() bool { return r.inFlight() == 0 })
		ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond) // longer than idle clients live
		defer cancel()
		if err := r.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
		if _, err := io.Copy(io.Discard, w.conn); err == nil {
			w.ended()
		}
		eventually(t, "everything is given back", func() bool { return r.server.Counters()["upfront_spool_files"] == 0 })
	})
}
