package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"upfront/balancer"
	"upfront/health"
	"upfront/service"
)

func TestMain(m *testing.M) {
	// fasthttp's clock for the Date line runs as long as the process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// fixedRoutes sends every request to one service.
type fixedRoutes struct {
	svc    *service.Service
	prefix string
}

func (r *fixedRoutes) Match(_, _ []byte) (*service.Service, string, bool) {
	return r.svc, r.prefix, r.svc != nil
}

// rig is a server in front of targets.
type rig struct {
	t      *testing.T
	server *Server
	svc    *service.Service
	addr   string
	log    *lineBuffer
	panics uint64 // that the test provokes

	listener ListenerOptions
	client   *tls.Config // nil for plain connections
}

type lineBuffer struct {
	silent atomic.Bool // it keeps nothing
	mu     sync.Mutex
	b      bytes.Buffer
}

func (l *lineBuffer) Write(p []byte) (int, error) {
	if l.silent.Load() {
		return len(p), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lineBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newService(targets ...string) *service.Service {
	var list []*balancer.Target
	for _, address := range targets {
		list = append(list, balancer.NewTarget(balancer.TargetOptions{
			Address:   address,
			Health:    health.Healthy,
			Transport: NewTransport(address, func() time.Duration { return 2 * time.Second }),
		}))
	}
	return &service.Service{
		Name:          "web",
		TargetTimeout: 5 * time.Second,
		Pool:          balancer.NewPool(list, balancer.PoolOptions{}),
		Gate:          service.NewGate(10),
	}
}

func newRig(t *testing.T, settings Settings, svc *service.Service) *rig {
	t.Helper()
	return newRigOf(t, settings, svc, &fixedRoutes{svc: svc, prefix: "/"})
}

func newRigOf(t *testing.T, settings Settings, svc *service.Service, routes Routes) *rig {
	t.Helper()
	return newRigWith(t, settings, svc, routes, ListenerOptions{})
}

func newRigWith(t *testing.T, settings Settings, svc *service.Service, routes Routes, listener ListenerOptions) *rig {
	t.Helper()
	r := &rig{t: t, svc: svc, log: &lineBuffer{}, listener: listener}
	access := NewAccessLog(r.log, nil)
	r.server = New(Options{Routes: routes, Logger: zaptest.NewLogger(t), AccessLog: access, Settings: settings})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	if overTLS && listener.TLS == nil && !settings.CleartextHTTP2 && !isAboutPlain(t) {
		a := newAuthority(t)
		r.listener.TLS = only(a.issue("a"))
		r.client = &tls.Config{RootCAs: a.pool, ServerName: "a"}
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.server.ServeListener(ln, r.listener); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	running.Go(func() { _ = access.Run(ctx) })
	t.Cleanup(func() {
		end, stop := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer stop()
		_ = r.server.Shutdown(end)
		if svc != nil {
			r.settle(svc)
		}
		cancel()
		running.Wait()
		if got := r.server.counters.Panics.Load(); got != r.panics {
			t.Errorf("got %d panics, want %d", got, r.panics)
		}
	})
	return r
}

// settle checks that every exchange gave back what it held, and closes the
// targets.
func (r *rig) settle(svc *service.Service) {
	for _, target := range svc.Pool.Targets() {
		eventually(r.t, "nothing is in flight at the end", func() bool { return target.InFlight() == 0 })
		target.Close()
		transport := target.Transport().(*transport)
		transport.mu.Lock()
		if n := len(transport.open); n != 0 {
			r.t.Errorf("target %s has %d connections open at the end", target.Address(), n)
		}
		transport.mu.Unlock()
	}
}

// eventually polls until ok holds; what names it when it does not.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("it never came to be that %s", what)
		}
	}
}

func (r *rig) dial() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if r.client != nil {
		return secured(r.t, conn, r.client)
	}
	return conn
}

// ask sends raw on a new connection and returns all that comes back until the
// connection ends or the responses are complete.
func (r *rig) ask(raw string, method string) *http.Response {
	r.t.Helper()
	conn := r.dial()
	if _, err := io.WriteString(conn, raw); err != nil {
		r.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		r.t.Fatalf("read response: %v", err)
	}
	return res
}

func bodyOf(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read body: %v (got %q)", err, b)
	}
	_ = res.Body.Close()
	return string(b)
}

// rawTarget is a target that is scripted by the byte.
type rawTarget struct {
	addr string
}

func newRawTarget(t *testing.T, handle func(c net.Conn, r *bufio.Reader)) *rawTarget {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newRawTargetOn(t, ln, handle)
}

func newRawTargetOn(t *testing.T, ln net.Listener, handle func(c net.Conn, r *bufio.Reader)) *rawTarget {
	target := &rawTarget{addr: ln.Addr().String()}
	var running sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			running.Go(func() {
				handle(c, bufio.NewReader(c))
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return target
}

// readHead reads one request head from r, the empty line included.
func readHead(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return b.String(), err
		}
	}
}

// answering is a target that answers every request with raw.
func answering(t *testing.T, raw string) *rawTarget {
	return newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		for {
			if _, err := readHead(r); err != nil {
				return
			}
			if _, err := io.WriteString(c, raw); err != nil {
				return
			}
		}
	})
}

func ok(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n%s", len(body), body)
}

// wire is a client that is scripted by the byte.
type wire struct {
	net.Conn
	r *bufio.Reader
	t *testing.T
}

func (r *rig) wire() *wire {
	r.t.Helper()
	conn := r.dial()
	return &wire{Conn: conn, r: bufio.NewReader(conn), t: r.t}
}

func (w *wire) send(raw ...string) {
	w.t.Helper()
	for _, part := range raw {
		if _, err := io.WriteString(w, part); err != nil {
			w.t.Fatalf("send: %v", err)
		}
	}
}

// receive reads one response, the body included.
func (w *wire) receive(method string) (*http.Response, string) {
	w.t.Helper()
	res, err := http.ReadResponse(w.r, &http.Request{Method: method})
	if err != nil {
		w.t.Fatalf("read response: %v", err)
	}
	return res, bodyOf(w.t, res)
}

// head reads the head of a response, interim ones included, as it came.
func (w *wire) head() string {
	w.t.Helper()
	head, err := readHead(w.r)
	if err != nil {
		w.t.Fatalf("read head: %v (got %q)", err, head)
	}
	return head
}

// exactly reads what must come next.
func (w *wire) exactly(want string) {
	w.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(w.r, got); err != nil {
		w.t.Fatalf("got %q, want %q: %v", got[:n], want, err)
	}
	if string(got) != want {
		w.t.Fatalf("got %q, want %q", got, want)
	}
}

// ends checks that the connection ends here, cleanly or not.
func (w *wire) ends(clean bool) {
	w.t.Helper()
	rest, err := io.ReadAll(w.r)
	if len(rest) > 0 {
		w.t.Fatalf("got %q, want the end of the connection", rest)
	}
	if clean != (err == nil) {
		w.t.Fatalf("connection ended with %v, want clean: %v", err, clean)
	}
}

// closeWrite half-closes.
func (w *wire) closeWrite() { _ = tune(w.Conn).CloseWrite() }

// reset closes with a RST.
func (w *wire) reset() {
	_ = tune(w.Conn).SetLinger(0)
	_ = w.Close()
}

// httpTarget is a target of package net/http.
func httpTarget(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(ln) })
	t.Cleanup(func() {
		_ = server.Close()
		running.Wait()
	})
	return ln.Addr().String()
}

// next receives from ch what must come.
func next[T any](t *testing.T, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came in time")
	}
	return v
}
