package proxy

import (
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"upfront/api"
	"upfront/balancer"
	"upfront/health"
	"upfront/service"
)

// slots is a service whose targets answer with the name of their slot, in readers
// and rollout as wished.
type slots struct {
	svc *service.Service
	all map[string]*balancer.Target
}

// named answers every request with name, and with fields besides.
func named(t *testing.T, name, fields string) *balancer.Target {
	t.Helper()
	address := answering(t, "HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(len(name))+"\r\n"+fields+"\r\n"+name).addr
	return balancer.NewTarget(balancer.TargetOptions{
		Address: address, Health: health.Healthy,
		Transport: NewTransport(address, func() time.Duration { return 2 * time.Second }),
	})
}

func newSlots(t *testing.T, takes api.Split) *slots {
	t.Helper()
	s := &slots{all: map[string]*balancer.Target{
		"writer": named(t, "writer", ""), "reader": named(t, "reader", ""),
		"new-writer": named(t, "new-writer", ""), "new-reader": named(t, "new-reader", ""),
	}}
	pool := func(name string) *balancer.Pool {
		return balancer.NewPool([]*balancer.Target{s.all[name]}, balancer.PoolOptions{})
	}
	s.svc = newService()
	s.svc.Pool, s.svc.Readers = pool("writer"), pool("reader")
	s.svc.Rollout = service.NewRollout(pool("new-writer"), pool("new-reader"), takes)
	s.svc.WriterAffinity = time.Minute
	t.Cleanup(func() {
		for _, target := range s.all {
			target.Close()
		}
	})
	return s
}

// to asks with method and fields and returns who answered, and the head.
func (r *rig) to(method, fields string) (who string, header http.Header) {
	r.t.Helper()
	w := r.wire()
	defer w.Close()
	w.send(method + " / HTTP/1.1\r\nHost: app.test\r\n" + fields + "\r\n")
	res, body := w.receive(method)
	return body, res.Header
}

func TestExchange_choose_theSlotOfTheRequest(t *testing.T) {
	s := newSlots(t, api.Split{Percent: 50, List: []string{"me"}, Headers: []api.HeaderMatch{{Name: "X-Beta"}, {Name: "X-Ring", Value: "2"}}})
	r := newRig(t, Settings{}, s.svc)
	later := strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10)
	past := strconv.FormatInt(time.Now().Add(-time.Minute).UnixMilli(), 10)
	for _, c := range []struct{ method, fields, want string }{
		{"GET", "", "reader"},
		{"POST", "Content-Length: 0\r\n", "writer"},
		{"DELETE", "", "writer"},
		{"OPTIONS", "", "writer"},
		{"GET", "Cookie: kamal-writer=" + later + "\r\n", "writer"},
		{"GET", "Cookie: a=b; kamal-writer=\"" + later + "\"\r\n", "writer"},
		{"GET", "cookie: a=b\r\ncookie: kamal-writer=" + later + "\r\n", "writer"},
		{"GET", "Cookie: kamal-writer=" + past + "\r\n", "reader"},
		{"GET", "Cookie: kamal-writer=soon\r\n", "reader"},
		{"GET", "Cookie: not-kamal-writer=" + later + "\r\n", "reader"},
		{"GET", "Cookie: kamal-rollout=me\r\n", "new-reader"},
		{"POST", "Content-Length: 0\r\nCookie: kamal-rollout=me\r\n", "new-writer"},
		{"GET", "Cookie: kamal-rollout=1\r\n", "new-reader"}, // 20 % of the hashes are below its own
		{"GET", "Cookie: kamal-rollout=a\r\n", "reader"},     // 89 %
		{"GET", "Cookie: kamal-rollout=\r\n", "reader"},
		{"GET", "Cookie: upfront-rollout=1\r\n", "reader"}, // nothing was drawn: it is not random
		{"GET", "x-beta: whatever\r\nCookie: kamal-rollout=a\r\n", "new-reader"},
		{"POST", "Content-Length: 0\r\nX-Ring: 2\r\n", "new-writer"},
		{"GET", "X-Ring: 3\r\n", "reader"},
	} {
		if got, _ := r.to(c.method, c.fields); got != c.want {
			t.Errorf("%s with %q: answered by %s, want %s", c.method, c.fields, got, c.want)
		}
	}
}

// Whoever is gone, others stand in: a reader is worth no failed request.
func TestExchange_choose_standsInForWhoIsGone(t *testing.T) {
	s := newSlots(t, api.Split{Percent: 100})
	r := newRig(t, Settings{}, s.svc)
	const visitor = "Cookie: kamal-rollout=1\r\n"
	for _, c := range []struct{ sick, want string }{
		{"", "new-reader"}, {"new-reader", "new-writer"}, {"new-writer", "reader"}, {"reader", "writer"},
	} {
		if target := s.all[c.sick]; target != nil {
			target.SetHealth(health.Unhealthy)
		}
		if got, _ := r.to("GET", visitor); got != c.want {
			t.Errorf("without %q: answered by %s, want %s", c.sick, got, c.want)
		}
	}
}

// A reader that refuses connections costs a GET nothing.
func TestExchange_attempts_fromReaderToWriter(t *testing.T) {
	s := newSlots(t, api.Split{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close() // nobody listens there any more
	dead := balancer.NewTarget(balancer.TargetOptions{
		Address: ln.Addr().String(), Health: health.Healthy,
		Transport: NewTransport(ln.Addr().String(), func() time.Duration { return 2 * time.Second }),
	})
	t.Cleanup(dead.Close)
	s.svc.Readers = balancer.NewPool([]*balancer.Target{dead}, balancer.PoolOptions{})
	r := newRig(t, Settings{}, s.svc)
	if got, _ := r.to("GET", ""); got != "writer" {
		t.Errorf("answered by %q, want writer", got)
	}
}

func TestExchange_marksWhoWrote(t *testing.T) {
	s := newSlots(t, api.Split{})
	optOut := named(t, "nothing", "X-Writer-Affinity: false\r\n")
	keep := named(t, "something", "x-writer-affinity: true\r\n")
	t.Cleanup(optOut.Close)
	t.Cleanup(keep.Close)
	r := newRig(t, Settings{}, s.svc)
	before := time.Now()
	_, header := r.to("POST", "Content-Length: 0\r\n")
	set := header.Get("Set-Cookie")
	cookie, err := http.ParseSetCookie(set)
	if err != nil || cookie.Name != "kamal-writer" || cookie.Path != "/" || !cookie.HttpOnly {
		t.Fatalf("got cookie %q, want kamal-writer for / and HttpOnly: %v", set, err)
	}
	until, err := strconv.ParseInt(cookie.Value, 10, 64)
	if want := before.Add(time.Minute); err != nil || until < want.UnixMilli() || until > want.Add(time.Minute).UnixMilli() {
		t.Errorf("got value %q, want the end of the affinity in milliseconds", cookie.Value)
	}
	if cookie.Expires.Before(before.Add(time.Minute)) {
		t.Errorf("got expiry %v, want not before the affinity ends", cookie.Expires)
	}
	for _, method := range []string{"GET", "HEAD"} {
		later := strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10)
		if _, header := r.to(method, "Cookie: kamal-writer="+later+"\r\n"); header.Get("Set-Cookie") != "" {
			t.Errorf("%s got cookie %q, want none", method, header.Get("Set-Cookie"))
		}
	}
	for target, want := range map[*balancer.Target]bool{optOut: false, keep: true} {
		s.svc.Pool = balancer.NewPool([]*balancer.Target{target}, balancer.PoolOptions{})
		_, header := r.to("POST", "Content-Length: 0\r\n")
		if got := header.Get("Set-Cookie") != ""; got != want {
			t.Errorf("%s: cookie set %v, want %v", target.Address(), got, want)
		}
		if got := header.Get("X-Writer-Affinity"); got != "" {
			t.Errorf("the client got X-Writer-Affinity: %s", got)
		}
	}
	s.svc.WriterAffinity = -1
	if _, header := r.to("POST", "Content-Length: 0\r\n"); header.Get("Set-Cookie") != "" {
		t.Errorf("got cookie %q with the affinity off", header.Get("Set-Cookie"))
	}
}

func TestExchange_readersTakeWebSocketsOnlyWhenAsked(t *testing.T) {
	s := newSlots(t, api.Split{})
	r := newRig(t, Settings{}, s.svc)
	upgrade := "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	if got, _ := r.to("GET", upgrade); got != "writer" {
		t.Errorf("answered by %s, want writer", got)
	}
	s.svc.ReadWebSockets = true
	if got, _ := r.to("GET", upgrade); got != "reader" {
		t.Errorf("answered by %s, want reader", got)
	}
}

// A random split gives what was asked, and a visitor who keeps the
// cookie stays where it was.
func TestExchange_random_asAskedAndSticky(t *testing.T) {
	s := newSlots(t, api.Split{Percent: 20, Random: true})
	s.svc.Readers = nil
	s.svc.Rollout = service.NewRollout(s.svc.Rollout.Pool, nil, api.Split{Percent: 20, Random: true})
	r := newRig(t, Settings{}, s.svc)
	w := r.wire()
	_ = w.SetDeadline(time.Now().Add(time.Minute))
	const asked = 4_000
	rolled := 0
	var cookies []string
	for i := range asked {
		w.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
		res, body := w.receive("GET")
		set := res.Header.Get("Set-Cookie")
		if !strings.HasPrefix(set, "upfront-rollout=") {
			t.Fatalf("got cookie %q, want one that is kept", set)
		}
		if body == "new-writer" {
			rolled++
		}
		if i < 50 {
			pair, _, _ := strings.Cut(set, ";")
			cookies = append(cookies, pair+" "+body)
		}
	}
	if got := 100 * float64(rolled) / asked; math.Abs(got-20) > 3 { // almost five standard deviations
		t.Errorf("%.2f percent went to the rollout, want 20", got)
	}
	slices.Sort(cookies)
	if n := len(slices.Compact(slices.Clone(cookies))); n != len(cookies) {
		t.Errorf("%d of %d cookies are different", n, len(cookies))
	}
	for _, line := range cookies {
		pair, want, _ := strings.Cut(line, " ")
		w.send("GET / HTTP/1.1\r\nHost: app.test\r\nCookie: " + pair + "\r\n\r\n")
		res, got := w.receive("GET")
		if got != want || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: answered by %s with cookie %q, want %s and none", pair, got, res.Header.Get("Set-Cookie"), want)
		}
	}
}
