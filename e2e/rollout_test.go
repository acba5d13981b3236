package e2e

import (
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// counted asks for / with fields and counts who answered, until stop is called.
type counted struct {
	mu     sync.Mutex
	by     map[string]int // guarded by mu
	failed atomic.Int64
	stop   func()
}

// count puts load on address from clients that keep their connections and no cookie.
func count(t *testing.T, address string, clients int, decorate func(n int, r *http.Request)) *counted {
	t.Helper()
	c := &counted{by: map[string]int{}}
	quit := make(chan struct{})
	var running sync.WaitGroup
	for i := range clients {
		running.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			tick := time.NewTicker(2 * time.Millisecond) // leaves the proxy the processor
			defer tick.Stop()
			for n := i; ; n += clients {
				select {
				case <-quit:
					return
				case <-tick.C:
				}
				r, _ := http.NewRequest(http.MethodGet, "http://"+address+"/", nil)
				decorate(n, r)
				res, err := transport.RoundTrip(r)
				if err != nil || res.StatusCode != 200 {
					c.failed.Add(1)
					continue
				}
				_ = res.Body.Close()
				c.mu.Lock()
				c.by[res.Header.Get("X-Version")]++
				c.mu.Unlock()
			}
		})
	}
	var once sync.Once
	c.stop = func() {
		once.Do(func() { close(quit) })
		running.Wait()
	}
	t.Cleanup(c.stop)
	return c
}

// share is the percentage of the answers that version gave, of at least n.
func (c *counted) share(t *testing.T, version string, n int) float64 {
	t.Helper()
	c.mu.Lock()
	clear(c.by)
	c.mu.Unlock()
	total, own := 0, 0
	waitFor(t, 2*time.Minute, "enough answers", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		total, own = 0, c.by[version]
		for _, k := range c.by {
			total += k
		}
		return total >= n
	})
	return 100 * float64(own) / float64(total)
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within {
		t.Errorf("%s: got %.2f percent, want %.0f", what, got, want)
	}
}

// A rollout under load, from its first deploy to its end: each share as it was asked
// for, the active targets replaced meanwhile, and nobody sees a failed request.
func TestRollout_underLoadGivesWhatIsAskedAndFailsNoRequest(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	active, canary := startApp(t, "active"), startApp(t, "canary")
	p.do(t, "deploy", "web", "--target", active.address)
	// Visitors that are numbered fall within a percent with as many as these.
	visitors := count(t, p.address, 4, func(n int, r *http.Request) {
		r.AddCookie(&http.Cookie{Name: "kamal-rollout", Value: "user-" + itoa(n)})
	})
	strangers := count(t, p.address, 4, func(int, *http.Request) {})
	answers, within := scale(3_000, 50_000), 3.5 // four standard deviations of 3,000 draws
	if full() {
		within = 1
	}
	p.do(t, "rollout", "deploy", "web", "--target", canary.address)
	near(t, "deployed only", visitors.share(t, "canary", 200), 0, 0)
	for _, percent := range []int{10, 50} {
		p.do(t, "rollout", "set", "web", "--random", "--percent", itoa(percent))
		near(t, "visitors", visitors.share(t, "canary", answers), float64(percent), within)
		near(t, "drawn", strangers.share(t, "canary", answers), float64(percent), within)
	}
	next := startApp(t, "next")
	p.do(t, "deploy", "web", "--target", next.address)
	active.kill()
	second := startApp(t, "canary")
	p.do(t, "rollout", "deploy", "web", "--target", second.address)
	canary.kill()
	near(t, "both slots replaced", visitors.share(t, "canary", answers), 50, within)
	second.kill() // the active targets stand in, and what was under way is sent again
	near(t, "dead rollout", visitors.share(t, "next", 500), 100, 0.5)
	p.do(t, "rollout", "stop", "web")
	near(t, "stopped", strangers.share(t, "next", 200), 100, 0)
	visitors.stop()
	strangers.stop()
	if n := visitors.failed.Load() + strangers.failed.Load(); n > 0 {
		t.Errorf("%d requests failed", n)
	}
}

// Readers come and go under load, and a write is read where it was made.
func TestReaders_underLoadFailNoRequest(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	writer, reader := startApp(t, "writer"), startApp(t, "reader")
	p.do(t, "deploy", "web", "--target", writer.address, "--read-target", reader.address)
	later := itoa(int(time.Now().Add(time.Hour).UnixMilli()))
	reads := count(t, p.address, 4, func(int, *http.Request) {})
	writers := count(t, p.address, 2, func(_ int, r *http.Request) { r.AddCookie(&http.Cookie{Name: "kamal-writer", Value: later}) })
	writes := count(t, p.address, 2, func(_ int, r *http.Request) { r.Method = http.MethodPost })
	near(t, "reads", reads.share(t, "reader", 500), 100, 0)
	near(t, "reads of who wrote", writers.share(t, "writer", 500), 100, 0)
	near(t, "writes", writes.share(t, "writer", 500), 100, 0)
	next := startApp(t, "reader")
	p.do(t, "deploy", "web", "--target", writer.address, "--read-target", next.address)
	reader.kill()
	near(t, "reads of the next", reads.share(t, "reader", 500), 100, 0)
	next.kill()
	near(t, "dead reader", reads.share(t, "writer", 500), 100, 1)
	p.do(t, "deploy", "web", "--target", writer.address)
	for _, c := range []*counted{reads, writers, writes} {
		c.stop()
		if n := c.failed.Load(); n > 0 {
			t.Errorf("%d requests failed", n)
		}
	}
}

// A pause under load holds every request, and lets each through to its slot.
func TestRollout_aPauseUnderLoadFailsNoRequest(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	active, canary, reader := startApp(t, "active"), startApp(t, "canary"), startApp(t, "reader")
	p.do(t, "deploy", "web", "--target", active.address, "--read-target", reader.address)
	p.do(t, "rollout", "deploy", "web", "--target", canary.address)
	p.do(t, "rollout", "set", "web", "--random", "--percent", "50")
	c := count(t, p.address, 8, func(int, *http.Request) {})
	for range scale(3, 20) {
		c.share(t, "canary", 200)
		p.do(t, "pause", "web")
		before := active.stats(t).Requests + canary.stats(t).Requests + reader.stats(t).Requests
		let(t, 100*time.Millisecond)
		if now := active.stats(t).Requests + canary.stats(t).Requests + reader.stats(t).Requests; now != before {
			t.Errorf("targets got %d requests while paused", now-before)
		}
		p.do(t, "resume", "web")
	}
	c.stop()
	if n := c.failed.Load(); n > 0 {
		t.Errorf("%d requests failed", n)
	}
}
