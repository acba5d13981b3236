package acme

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// register answers who may have a certificate.
type register struct {
	*httptest.Server
	asked atomic.Int64
}

func newRegister(t *testing.T, allowed ...string) *register {
	t.Helper()
	r := &register{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.asked.Add(1)
		for _, name := range allowed {
			if q.URL.Query().Get("host") == name && q.URL.Query().Get("key") == "1" {
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(r.Close)
	return r
}

func TestCertificates_onDemand(t *testing.T) {
	const allowed, strange = "customer.example.test", "stranger.example.test"
	e := newEdge(t)
	a := newAuthority(t, e, newNames(t), nil)
	who := newRegister(t, allowed)
	folder := t.TempDir()
	o := Options{Authority: a.asOptions(), TLS: e.tls.Addr()}
	r := run(t, e, folder, o)
	want := []Wanted{{Service: "shop", Ask: who.URL + "?key=1"}}
	r.Publish(want)

	issuers := a.issuers() // many clients at once are one question and one order
	var clients sync.WaitGroup
	for range 10 {
		clients.Go(func() {
			if _, err := e.shake(allowed, issuers); err != nil {
				t.Errorf("a name that may have one: %v", err)
			}
		})
	}
	clients.Wait()
	if got := who.asked.Load(); got != 1 {
		t.Errorf("got %d questions, want 1", got)
	}
	if s := r.status(allowed); !s.OnDemand {
		t.Errorf("status: got %+v", s)
	}
	// One that is refused is not asked about again.
	for range 10 {
		if _, err := e.shake(strange, nil); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("a name that may have none: got %v, want the alert unrecognized name", err)
		}
	}
	if got := who.asked.Load(); got != 2 {
		t.Errorf("got %d questions, want 2", got)
	}

	// After a restart neither the register nor the authority is needed.
	r.stop()
	<-e.owner
	a.end()
	again := run(t, e, folder, o)
	again.Publish(want)
	if _, err := e.shake(allowed, issuers); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if got := who.asked.Load(); got != 2 {
		t.Errorf("after a restart: got %d questions, want 2", got)
	}

	// Without its service the name is served no longer.
	again.Publish(nil)
	if _, err := e.shake(allowed, nil); err == nil {
		t.Error("a name whose service was removed still has a certificate")
	}
	if len(again.Status()) != 0 {
		t.Errorf("status: got %+v, want nothing", again.Status())
	}
}

// Whoever sends random names gets a bounded number of questions asked, and no order.
func TestCertificates_onDemand_randomNamesAreBounded(t *testing.T) {
	e := newEdge(t)
	var asked atomic.Int64
	r := run(t, e, t.TempDir(), Options{
		Authority: Authority{Directory: "https://" + at(freePort(t)) + "/dir"}, TLS: e.tls.Addr(),
		AskService: func(context.Context, string, string, string) error {
			asked.Add(1)
			return errRefused
		},
	})
	r.Publish([]Wanted{{Service: "shop", Ask: "/allowed"}})
	until(t, "it runs", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.ctx != nil
	})
	began := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // no handshake waits
	const names = 20_000
	for i := range names {
		r.onDemand(ctx, fmt.Sprintf("n%d.example.test", i))
	}
	until(t, "all questions are answered", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.asking == 0
	})
	most := asksBurst + int64(time.Since(began)/asksInterval) + 1
	if got := asked.Load(); got == 0 || got > most {
		t.Errorf("got %d questions for %d names, want at most %d", got, names, most)
	}
	counters := r.Counters()
	if got := counters["upfront_acme_limited_total"]; got < names-uint64(most) {
		t.Errorf("got %d limited, want the rest of %d", got, names)
	}
	if counters["upfront_acme_failed_attempts_total"] != 0 {
		t.Error("a name that was refused was ordered")
	}
}

// Also those that may have one are not ordered without bound.
func TestCertificates_onDemand_ordersAreBounded(t *testing.T) {
	c := New(Options{Storage: NewFolder(t.TempDir()), AskService: func(context.Context, string, string, string) error { return nil }})
	defer c.Close()
	let := 0
	for i := range 3 * ordersBurst {
		if c.mayHave(t.Context(), &host{name: fmt.Sprintf("n%d.example.test", i), ask: "/"}) == nil {
			let++
		}
	}
	if let < ordersBurst || let > ordersBurst+2 {
		t.Errorf("got %d orders let through, want %d", let, ordersBurst)
	}
}

func TestAskable_refusesNoise(t *testing.T) {
	for name, want := range map[string]bool{
		"a.example.com": true, "localhost": false, "127.0.0.1": false, "::1": false, "*.example.com": false,
		"a..b": false, "a b.com": false, "": false, strings.Repeat("a.", 150) + "com": false, "x/../y.com": false,
		"-a.com": false, "xn--bcher-kva.example": true, "a_b.com": false, ".a.com": false,
	} {
		if got := askable(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

func TestMatches_itselfThenItsWildcardThenAny(t *testing.T) {
	patterns := map[string]int{"a.example.com": 1, "*.example.com": 2, "": 3}
	for name, want := range map[string]int{"a.example.com": 1, "b.example.com": 2, "c.b.example.com": 3, "example.com": 3} {
		if got, _ := matches(patterns, name); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
	if _, ok := matches(map[string]int{"*.example.com": 2}, "example.com"); ok {
		t.Error("a wildcard matched its parent")
	}
}

func TestBucket_letsABurstThroughAndThenTheRate(t *testing.T) {
	now := time.Now()
	b := newBucket(3, time.Second)
	for i, want := range []bool{true, true, true, false} {
		if got := b.take(now); got != want {
			t.Errorf("take %d: got %v", i, got)
		}
	}
	if b.take(now.Add(999*time.Millisecond)) || !b.take(now.Add(time.Second)) || b.take(now.Add(time.Second)) {
		t.Error("want one more each second")
	}
	if !b.take(now.Add(time.Hour)) {
		t.Error("want a full bucket after an hour")
	}
}

func TestRefusals_rememberTheYoungestWithinBounds(t *testing.T) {
	r, now := newRefusals(), time.Now()
	r.add("first", now.Add(time.Hour))
	if !r.has("first", now) || r.has("first", now.Add(time.Hour)) || r.has("other", now) {
		t.Error("want a name for as long as was said")
	}
	for i := range 3 * maxRefusals {
		r.add(fmt.Sprint(i), now.Add(time.Hour))
	}
	if got := len(r.young) + len(r.old); got > 2*maxRefusals {
		t.Errorf("got %d names kept, want at most %d", got, 2*maxRefusals)
	}
	if r.has("first", now) || !r.has(fmt.Sprint(3*maxRefusals-1), now) {
		t.Error("want the youngest kept")
	}
}
