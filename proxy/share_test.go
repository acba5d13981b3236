package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"upfront/service"
)

// shares returns those of the one client that carries streams.
func (r *rig) shares() (s *shares) {
	r.t.Helper()
	eventually(r.t, "a client carries streams", func() bool {
		r.server.each(func(c *client) {
			if c.http2 != nil {
				s = c.shares
			}
		})
		return s != nil
	})
	return s
}

func TestShare_boundsWhatStreamsHoldThatAreNotRead(t *testing.T) {
	body := payload(100_000)
	addr := httpTarget(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body)
	})
	eachHTTP2(t, Settings{}, func() *service.Service { return newService(addr) }, func(t *testing.T, r *rig, w *h2wire) {
		for n := range uint32(maxStreams) {
			w.get(1+2*n, "/")
		}
		heads := 0
		for range maxStreams { // behind its head each waits for a window
			if a := w.answerOfAny(); a.status == "200" {
				heads++
			}
		}
		shares := r.shares()
		if full := shares.down.full.Load(); heads != maxStreams || full != fullBuffers {
			t.Errorf("%d streams that are answered hold %d full buffers, want %d of %d", heads, full, fullBuffers, maxStreams)
		}
		w.openWindow()
		for sum := 0; sum < maxStreams*len(body); {
			if f, ok := w.next().(interface {
				Data() []byte
			}); ok {
				sum += len(f.Data())
			}
		}
		eventually(t, "all is given back", func() bool { return shares.down.full.Load() == 0 && r.inFlight() == 0 })
		if shares.down.passed.Load() == 0 {
			t.Error("a client that reads earns no more buffers")
		}
	})
}

// Who has only a small buffer left gets the same bytes.
func TestShare_carriesAllWithSmallBuffers(t *testing.T) {
	for _, head := range []int{0, 5 << 10, 40 << 10, 100 << 10} {
		for _, size := range []int{0, 1, 4000, 5000, 300_000} {
			t.Run(fmt.Sprintf("head of %d, body of %d", head, size), func(t *testing.T) {
				addr := httpTarget(t, func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					w.Header().Set("X-Long", strings.Repeat("x", head))
					_, _ = w.Write(body)
				})
				r := newRig(t, speaksHTTP2, newService(addr))
				client := r.h2client()
				client.Transport.(*http.Transport).MaxResponseHeaderBytes = 1 << 20
				for n := range 2 {
					body := payload(size)
					res, err := client.Post("http://"+r.addr+"/", "text/plain", io.MultiReader(bytes.NewReader(body)))
					if err != nil {
						t.Fatal(err)
					}
					if got := bodyOf(t, res); got != string(body) || len(res.Header.Get("X-Long")) != head {
						t.Errorf("got %d other bytes behind %d", len(got), len(res.Header.Get("X-Long")))
					}
					shares := r.shares()
					eventually(t, "all is given back", func() bool { return shares.down.full.Load()+shares.up.full.Load() == int32(2*n*fullBuffers) })
					for _, s := range []*share{&shares.down, &shares.up} { // taken by others
						s.full.Store(fullBuffers)
						s.passed.Store(0)
					}
				}
			})
		}
	}
}
