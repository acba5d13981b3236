package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"upfront/balancer"
	"upfront/health"
	"upfront/service"
)

// table is routes that a test swaps, as the registry does.
type table struct {
	svc atomic.Pointer[service.Service]
}

func (r *table) Match(_, _ []byte) (*service.Service, string, bool) {
	svc := r.svc.Load()
	return svc, "/", svc != nil
}

func (r *table) publish(svc *service.Service) { r.svc.Store(svc) }

func TestGate_holdsRequestsAndSendsThemToTheNewVersion(t *testing.T) {
	gate := service.NewGate(100)
	old, fresh := newService(answering(t, ok("old")).addr), newService(httpTarget(t, mirror))
	old.Gate, fresh.Gate = gate, gate
	// A request is held for longer than the target may take to answer.
	fresh.TargetTimeout = time.Second
	routes := &table{}
	routes.publish(old)
	r := newRigOf(t, Settings{BodyTimeout: time.Second}, old, routes)
	t.Cleanup(func() { r.settle(fresh) })
	gate.Pause(10 * time.Second)
	var clients []*wire
	for range 5 {
		w := r.wire()
		w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\nearly")
		clients = append(clients, w)
	}
	eventually(t, "all are held", func() bool { return gate.Held() == 5 })
	if n := old.Pool.Targets()[0].InFlight(); n != 0 {
		t.Errorf("%d requests are counted while they are held", n)
	}
	<-time.After(1200 * time.Millisecond)
	routes.publish(fresh)
	gate.Resume()
	rest := string(payload(50_000 - len("early")))
	for _, w := range clients {
		w.send(rest)
	}
	for _, w := range clients {
		if res, body := w.receive("POST"); res.StatusCode != 200 || body != "early"+rest {
			t.Fatalf("got %d and %d bytes", res.StatusCode, len(body))
		}
	}
}

func TestGate_answersInTheEnd(t *testing.T) {
	for _, c := range []struct {
		name  string
		close func(*service.Gate)
		want  int
		text  string
	}{
		{"paused too long", func(g *service.Gate) { g.Pause(50 * time.Millisecond) }, 504, ""},
		{"stopped", func(g *service.Gate) { g.Stop("Back <b>soon</b> & well") }, 503, "Back &lt;b&gt;soon&lt;/b&gt; &amp; well"},
		{"stopped without a message", func(g *service.Gate) { g.Stop("") }, 503, "Down for maintenance"},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc := newService(answering(t, ok("x")).addr)
			r := newRig(t, Settings{}, svc)
			c.close(svc.Gate)
			w := r.wire()
			for range 2 {
				w.send("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html,*/*\r\n\r\n")
				res, body := w.receive("GET")
				if res.StatusCode != c.want || !strings.Contains(body, c.text) || res.Close {
					t.Fatalf("got %d, close %v: %s", res.StatusCode, res.Close, body)
				}
				if retry := res.Header.Get("Retry-After"); retry != "5" {
					t.Errorf("got Retry-After %q", retry)
				}
			}
			svc.Gate.Resume()
			w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if _, body := w.receive("GET"); body != "x" {
				t.Errorf("got %q once resumed", body)
			}
		})
	}
}

func TestGate_refusesMoreThanItHolds(t *testing.T) {
	svc := newService(answering(t, ok("x")).addr)
	r := newRig(t, Settings{}, svc)
	svc.Gate.Pause(10 * time.Second)
	for range 10 {
		r.wire().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	eventually(t, "the gate is full", func() bool { return svc.Gate.Held() == 10 })
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, _ := w.receive("GET"); res.StatusCode != 503 {
		t.Fatalf("got %d", res.StatusCode)
	}
	svc.Gate.Resume()
}

func TestGate_letsGoOfAClientThatLeaves(t *testing.T) {
	svc := newService(answering(t, ok("x")).addr)
	r := newRig(t, Settings{}, svc)
	svc.Gate.Pause(10 * time.Second)
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "it is held", func() bool { return svc.Gate.Held() == 1 })
	_ = w.Close()
	eventually(t, "it is let go", func() bool { return svc.Gate.Held() == 0 })
	svc.Gate.Resume()
}

func TestGate_isPassedByHealthChecks(t *testing.T) {
	for _, c := range []struct {
		request string
		prefix  string
		want    int
	}{
		{"GET /up", "/", 200},
		{"HEAD /up", "/", 200},
		{"GET /up?full=1", "/", 200},
		{"GET /sidekiq/health", "/", 200},
		{"GET /up/", "/", 503},
		{"GET /UP", "/", 503},
		{"GET /", "/", 503},
		{"POST /up", "/", 503},
		{"GET /app/up", "/app", 200},
		{"GET /app", "/app", 503},
	} {
		for _, paused := range []bool{false, true} {
			svc := newService(answering(t, ok("x")).addr)
			svc.HealthPaths, svc.StripPrefix = []string{"/up", "/sidekiq/health"}, true
			r := newRigOf(t, Settings{}, svc, &fixedRoutes{svc: svc, prefix: c.prefix})
			want := c.want
			if svc.Gate.Stop(""); paused {
				svc.Gate.Pause(time.Millisecond)
				if want == 503 {
					want = 504
				}
			}
			method, _, _ := strings.Cut(c.request, " ")
			w := r.wire()
			w.send(c.request + " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
			res, body := w.receive(method)
			if res.StatusCode != want || want == 200 && method == "GET" && body != "OK" {
				t.Errorf("%s, paused %v: got %d %q, want %d", c.request, paused, res.StatusCode, body, want)
			}
			svc.Gate.Resume()
		}
	}
}

func TestServer_losesNoRequestWhileVersionsReplaceEachOther(t *testing.T) {
	a, b := httpTarget(t, mirror), newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		for {
			if _, err := readHead(r); err != nil {
				return
			}
			body := make([]byte, 5)
			_, _ = io.ReadFull(r, body)
			_, _ = io.WriteString(c, ok(string(body)))
		}
	}).addr
	routes := &table{}
	routes.publish(newService(a))
	r := newRigOf(t, Settings{}, nil, routes)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var requests atomic.Int64
	for i := range 8 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, err := client.Post("http://"+r.addr+"/?fixed", "text/plain", strings.NewReader("hello"))
				if err != nil {
					t.Errorf("post: %v", err)
					return
				}
				body, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if res.StatusCode != 200 || string(body) != "hello" || err != nil {
					t.Errorf("got %d %q %v", res.StatusCode, body, err)
				}
				requests.Add(1)
			}
		})
	}
	for i := range 200 {
		before := requests.Load()
		eventually(t, "requests pass", func() bool { return requests.Load() > before+3 })
		fresh := newService([]string{a, b}[i%2])
		old := routes.svc.Swap(fresh)
		if n := old.Pool.Targets()[0].Drain(t.Context()); n != 0 {
			t.Errorf("drain cut %d requests", n)
		}
		r.settle(old)
	}
	close(stop)
	clients.Wait()
	eventually(t, "nothing is in flight", func() bool { return routes.svc.Load().Pool.Targets()[0].InFlight() == 0 })
	r.settle(routes.svc.Load())
	t.Logf("%d requests over 200 swaps", requests.Load())
}

func TestServer_answers503WithoutATarget(t *testing.T) {
	svc := newService()
	svc.Pool = balancer.NewPool([]*balancer.Target{balancer.NewTarget(balancer.TargetOptions{
		Address: "127.0.0.1:1", Health: health.Unhealthy, Transport: NewTransport("127.0.0.1:1", nil),
	})}, balancer.PoolOptions{})
	r := newRig(t, Settings{}, svc)
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, _ := w.receive("GET"); res.StatusCode != 503 || res.Close {
		t.Fatalf("got %d, close %v", res.StatusCode, res.Close)
	}
}

func TestServer_Shutdown_letsGoOfWhatAClosedGateHolds(t *testing.T) {
	svc := newService(answering(t, ok("late")).addr)
	r := newRig(t, Settings{}, svc)
	svc.Gate.Pause(time.Hour)
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "it is held", func() bool { return svc.Gate.Held() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.server.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if res, _ := w.receive("GET"); res.StatusCode != 503 || !res.Close {
		t.Errorf("got %d (close %v), want 503 and a close", res.StatusCode, res.Close)
	}
}

func TestGate_stop_answersWhatItCutsWithItsMessage(t *testing.T) {
	asked := make(chan struct{}, 1)
	svc := newService(newRawTarget(t, func(_ net.Conn, r *bufio.Reader) {
		_, _ = readHead(r)
		asked <- struct{}{}
		_, _ = r.ReadByte()
	}).addr)
	r := newRig(t, Settings{}, svc)
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	next(t, asked)
	svc.Gate.Stop("Back at noon")
	next(t, r.drained())
	if res, body := w.receive("GET"); res.StatusCode != 503 || !strings.Contains(body, "Back at noon") {
		t.Errorf("got %d %q, want 503 with the message", res.StatusCode, body)
	}
}
