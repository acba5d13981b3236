package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"upfront/service"
)

const plainGET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

func TestServer_closesWhatIdlesLongestForANewClient(t *testing.T) {
	r := newRig(t, Settings{MaxConnections: 3}, newService(answering(t, ok("x")).addr))
	var idle [3]*wire
	for i := range idle {
		idle[i] = r.wire()
		idle[i].send(plainGET)
		idle[i].receive("GET")
		r.idles(i + 1)
	}
	for _, longest := range idle[:2] {
		w := r.wire()
		w.send(plainGET)
		if _, body := w.receive("GET"); body != "x" {
			t.Fatalf("got %q", body)
		}
		longest.ends(true)
		_ = w.Close()
		eventually(t, "it has gone", func() bool { return r.server.Counters()["upfront_connections"] < 3 })
		idle[2].send(plainGET) // the one that idles least is still there
		idle[2].receive("GET")
		r.idles(2)
		again := r.wire()
		again.send(plainGET)
		again.receive("GET")
		r.idles(3)
	}
	if got := r.server.counters.IdleClosed.Load(); got != 2 {
		t.Errorf("%d idle connections were closed, want 2", got)
	}
}

// idles waits until n clients have no request: one that has its answer does not
// idle at the same moment.
func (r *rig) idles(n int) {
	r.t.Helper()
	eventually(r.t, "so many idle", func() bool {
		r.server.mu.Lock()
		defer r.server.mu.Unlock()
		idle := 0
		for c := range r.server.seats.clients {
			if c.idleSince.Load() > 0 {
				idle++
			}
		}
		return idle == n
	})
}

func TestServer_letsNewClientsWaitWhileNoneIdles(t *testing.T) {
	goOn, asked := make(chan struct{}), make(chan struct{}, 8)
	target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
		asked <- struct{}{}
		next(t, goOn)
		_, _ = io.WriteString(c, ok("x"))
	})
	r := newRig(t, Settings{MaxConnections: 2}, newService(target.addr))
	var clients [6]*wire
	for i := range clients {
		clients[i] = r.wire()
		clients[i].send(plainGET)
	}
	next(t, asked)
	next(t, asked)
	eventually(t, "the third waits", func() bool { return r.server.counters.SeatWaits.Load() == 1 })
	for range clients {
		goOn <- struct{}{}
	}
	ended := 0 // of the first two; whoever is answered second may do so between two waits
	for i, w := range clients {
		res, body := w.receive("GET")
		if body != "x" {
			t.Fatalf("client %d got %q", i, body)
		}
		if i < 2 && res.Close {
			ended++
		}
	}
	if ended == 0 {
		t.Error("a connection is kept while others wait for its seat")
	}
	if len(asked) != 4 {
		t.Errorf("target was asked %d more times, want 4", len(asked))
	}
}

func TestServer_admitsNoMoreThanTheLimit(t *testing.T) {
	goOn, asked := make(chan struct{}), make(chan struct{}, 8)
	target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
		asked <- struct{}{}
		<-goOn
		_, _ = io.WriteString(c, ok("x"))
	})
	r := newRig(t, Settings{MaxConnections: 2}, newService(target.addr))
	defer close(goOn)
	for range 5 {
		r.wire().send(plainGET)
	}
	next(t, asked)
	next(t, asked)
	eventually(t, "the third waits", func() bool { return r.server.counters.SeatWaits.Load() == 1 })
	r.server.Apply(Settings{MaxConnections: 3})
	next(t, asked)
	if got := r.server.Counters()["upfront_connections"]; got != 3 || len(asked) != 0 {
		t.Errorf("%d clients with %d requests beyond the limit of 3", got, len(asked))
	}
}

func TestServer_Shutdown_answersAClientThatWaitsForASeat(t *testing.T) {
	goOn, asked := make(chan struct{}), make(chan struct{}, 2)
	target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
		asked <- struct{}{}
		<-goOn
		_, _ = io.WriteString(c, ok("x"))
	})
	r := newRig(t, Settings{MaxConnections: 1}, newService(target.addr))
	first, second := r.wire(), r.wire()
	first.send(plainGET)
	next(t, asked)
	second.send(plainGET)
	eventually(t, "the second waits", func() bool { return r.server.counters.SeatWaits.Load() == 1 })
	ended := make(chan error, 1)
	go func() { ended <- r.server.Shutdown(t.Context()) }()
	close(goOn) // the limit holds while it leaves: the second has its turn behind the first
	for _, w := range []*wire{first, second} {
		if _, body := w.receive("GET"); body != "x" {
			t.Errorf("got %q", body)
		}
	}
	if err := next(t, ended); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// A request that arrives while its idle connection is being closed is served, or
// meets a closed connection: it is never cut in the middle.
func TestServer_closesIdleConnectionsBetweenRequestsOnly(t *testing.T) {
	r := newRig(t, Settings{}, newService(answering(t, ok("x")).addr))
	served := 0
	for range 300 {
		w := r.wire()
		var c *client
		eventually(t, "it idles", func() bool {
			r.server.each(func(one *client) { c = one })
			return c != nil && c.idleSince.Load() > 0
		})
		dismissed := make(chan struct{})
		go func() {
			defer close(dismissed)
			r.server.each(func(c *client) { c.dismiss(c.idleSince.Load()) })
		}()
		_, _ = io.WriteString(w, plainGET[:10])
		<-dismissed
		_, _ = io.WriteString(w, plainGET[10:])
		if res, err := http.ReadResponse(w.r, nil); err == nil {
			served++
			if res.StatusCode != 200 {
				t.Fatalf("got %d", res.StatusCode)
			}
			_ = bodyOf(t, res)
		}
		_ = w.Close()
		eventually(t, "it has gone", func() bool { return r.server.Counters()["upfront_connections"] == 0 })
	}
	t.Logf("%d of 300 requests came in time", served)
}

func TestServer_turnsAwayAnAddressWithTooManyConnections(t *testing.T) {
	r := newRig(t, Settings{MaxPerAddress: 2}, newService(answering(t, ok("x")).addr))
	first, second := r.wire(), r.wire()
	for _, w := range []*wire{first, second} {
		w.send(plainGET)
		w.receive("GET")
	}
	for _, request := range []string{plainGET, "GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc", "nonsense\r\n\r\n"} {
		w := r.wire()
		w.send(request)
		res, body := w.receive("GET")
		if res.StatusCode != 429 || !res.Close || res.Header.Get("Retry-After") == "" || !strings.Contains(body, "Too many") {
			t.Errorf("%q: got %d, close %v, %q", request, res.StatusCode, res.Close, body)
		}
		w.ends(true)
	}
	eventually(t, "it is in the access log", func() bool { return strings.Contains(r.log.String(), `"status":429`) })
	_ = first.Close()
	eventually(t, "there is room again", func() bool { return r.server.Counters()["upfront_connections"] == 1 })
	w := r.wire()
	w.send(plainGET)
	if res, _ := w.receive("GET"); res.StatusCode != 200 {
		t.Errorf("got %d once there was room", res.StatusCode)
	}
	if got := r.server.Counters()["upfront_connections_refused_total"]; got != 4 {
		t.Errorf("%d were counted, want 4", got)
	}
}

func TestServer_letsNobodyHoldConnectionsThatAreTurnedAway(t *testing.T) {
	r := newRig(t, Settings{MaxPerAddress: 1}, newService(answering(t, ok("x")).addr))
	w := r.wire()
	w.send(plainGET)
	w.receive("GET")
	silent := make([]*wire, maxTurnedAway+8)
	for i := range silent {
		silent[i] = r.wire()
	}
	for _, s := range silent { // without a byte, within turnAwayTime
		s.ends(true)
	}
	eventually(t, "all have gone", func() bool { return r.server.Counters()["upfront_connections"] == 1 })
}

func TestServer_countsNoConnectionsOfTrustedProxies(t *testing.T) {
	trusted := Settings{MaxPerAddress: 1, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	r := newRig(t, trusted, newService(answering(t, ok("x")).addr))
	for range 5 {
		w := r.wire()
		w.send(plainGET)
		if res, _ := w.receive("GET"); res.StatusCode != 200 {
			t.Fatalf("got %d", res.StatusCode)
		}
	}
}

func TestAddressKey_takesASubnetForOneIPv6Client(t *testing.T) {
	for _, c := range []struct{ a, b string }{
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9"},
		{"192.0.2.1", "::ffff:192.0.2.1"},
		{"fe80::1%eth0", "fe80::2%eth1"},
	} {
		if a, b := addressKey(netip.MustParseAddr(c.a)), addressKey(netip.MustParseAddr(c.b)); a != b {
			t.Errorf("%s and %s: got %s and %s, want one", c.a, c.b, a, b)
		}
	}
	for _, c := range []struct{ a, b string }{
		{"2001:db8:1:2::1", "2001:db8:1:3::1"},
		{"192.0.2.1", "192.0.2.2"},
	} {
		if a, b := addressKey(netip.MustParseAddr(c.a)), addressKey(netip.MustParseAddr(c.b)); a == b {
			t.Errorf("%s and %s: got %s for both", c.a, c.b, a)
		}
	}
	if got := addressKey(netip.Addr{}); got.IsValid() {
		t.Errorf("got %s for no address", got)
	}
}

func TestServer_sharesTheDescriptors(t *testing.T) {
	s := New(Options{})
	s.Apply(Settings{MaxConnections: 7})
	all := descriptorLimit()
	if all == 0 {
		t.Skip("not known here")
	}
	for _, asked := range []int{-1, 0, 7, 1 << 40} {
		s.Apply(Settings{MaxConnections: asked})
		clients, targets := s.settings.Load().MaxConnections, int(s.room.limit.Load())
		if asked == 7 && clients != 7 {
			t.Errorf("got %d clients, want 7", clients)
		}
		if targets < clients || clients+targets+1+reserve > int(all) || clients < 1 {
			t.Errorf("%d asked: %d clients and %d connections to targets of %d descriptors", asked, clients, targets, all)
		}
	}
}

// byPath routes whole paths.
type byPath map[string]*service.Service

func (b byPath) Match(_, path []byte) (*service.Service, string, bool) {
	svc, ok := b[string(path)]
	return svc, "/", ok
}

func TestServer_closesAKeptConnectionToATargetForTheNext(t *testing.T) {
	a, b := newService(answering(t, ok("a")).addr), newService(answering(t, ok("b")).addr)
	r := newRigOf(t, Settings{}, a, byPath{"/a": a, "/b": b})
	defer r.settle(b)
	r.server.room.limit.Store(1)
	w := r.wire()
	for i, svc := range []string{"a", "b", "a", "b"} {
		w.send("GET /" + svc + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if _, body := w.receive("GET"); body != svc {
			t.Fatalf("got %q, want %q", body, svc)
		}
		eventually(t, "one connection is left", func() bool { return r.server.Counters()["upfront_target_connections"] == 1 })
		if got := r.server.counters.Dials.Load(); got != uint64(i+1) {
			t.Errorf("%d dials for %d requests", got, i+1)
		}
	}
	a.Pool.Targets()[0].Close()
	b.Pool.Targets()[0].Close()
	r.server.room.mu.Lock()
	defer r.server.room.mu.Unlock()
	if n := len(r.server.room.transports); n != 0 {
		t.Errorf("%d closed targets are remembered", n)
	}
}

func TestServer_sharesTheSeatsAmongListeners(t *testing.T) {
	r := newRig(t, Settings{MaxConnections: 1}, newService(answering(t, ok("x")).addr))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(ln) }()
	var clients sync.WaitGroup
	for i := range 20 {
		address := []string{r.addr, ln.Addr().String()}[i%2]
		clients.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Errorf("dial: %v", err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			_, _ = io.WriteString(conn, plainGET)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || res.StatusCode != 200 {
				t.Errorf("got %v, %v", res, err)
				return
			}
			_ = res.Body.Close()
		})
	}
	clients.Wait()
	if err := r.server.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if err := next(t, served); err != nil {
		t.Errorf("serve: %v", err)
	}
}
