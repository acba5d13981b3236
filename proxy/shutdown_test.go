package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"upfront/service"
)

func TestServer_Shutdown_answersWhatIsInFlight(t *testing.T) {
	goOn, asked := make(chan struct{}), make(chan struct{}, 1)
	target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
		asked <- struct{}{}
		next(t, goOn)
		_, _ = io.WriteString(c, ok("done"))
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w, idle := r.wire(), r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	next(t, asked)
	ended := make(chan error, 1)
	go func() { ended <- r.server.Shutdown(t.Context()) }()
	eventually(t, "it is leaving", r.server.leaving.Load)
	late := r.wire() // who comes meanwhile is served as well
	late.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	next(t, asked)
	if r.server.closing.Load() {
		t.Error("the listener is closed while requests are in flight")
	}
	close(goOn)
	for _, c := range []*wire{w, late} {
		if res, body := c.receive("GET"); body != "done" || !res.Close {
			t.Errorf("got %q, close %v", body, res.Close)
		}
		c.ends(true)
	}
	idle.ends(true)
	if err := next(t, ended); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if _, err := net.Dial("tcp", r.addr); err == nil {
		t.Error("a connection was accepted behind the end")
	}
}

func TestServer_Shutdown_acceptsNoLongerThanItHasTime(t *testing.T) {
	asked := make(chan struct{}, 1)
	target := scripted(t, func(_ string, _ net.Conn, r *bufio.Reader) {
		asked <- struct{}{}
		_, _ = r.ReadByte() // no answer ever
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	next(t, asked)
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	if err := r.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	if res, _ := w.receive("GET"); res.StatusCode != 504 {
		t.Errorf("got %d, want 504", res.StatusCode)
	}
}

func TestServer_Shutdown_cutsWhatIsLeftWhenTimeIsUp(t *testing.T) {
	asked := make(chan struct{}, 2)
	target := scripted(t, func(head string, c net.Conn, r *bufio.Reader) {
		if strings.Contains(head, "/half") {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
		}
		asked <- struct{}{}
		_, _ = r.ReadByte()
	})
	r := newRig(t, Settings{}, newService(target.addr))
	whole, half, slow := r.wire(), r.wire(), r.wire()
	whole.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	half.send("GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
	slow.send("GET / HTT")
	next(t, asked)
	next(t, asked)
	half.head()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	if res, _ := whole.receive("GET"); res.StatusCode != 504 {
		t.Errorf("got %d", res.StatusCode)
	}
	if b, err := io.ReadAll(half.r); err == nil {
		t.Errorf("connection ended cleanly behind %q", b)
	}
}

// slowRoutes lets a request go on to its service when it is told to.
type slowRoutes struct {
	fixedRoutes
	asked, goOn chan struct{}
}

func (r *slowRoutes) Match(host, path []byte) (*service.Service, string, bool) {
	r.asked <- struct{}{}
	<-r.goOn
	return r.fixedRoutes.Match(host, path)
}

func TestServer_Shutdown_cutsWhatAsksItsTargetAfterThat(t *testing.T) {
	svc := newService(newRawTarget(t, silent).addr)
	svc.TargetTimeout = time.Hour
	routes := &slowRoutes{fixedRoutes{svc: svc, prefix: "/"}, make(chan struct{}, 1), make(chan struct{})}
	r := newRigOf(t, Settings{}, svc, routes)
	w := r.wire()
	w.send(plainGET)
	next(t, routes.asked)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.server.Shutdown(ctx) }()
	eventually(t, "what is left was cut", r.server.cut.Load)
	close(routes.goOn)
	_, _ = io.ReadAll(w.r)
	if err := next(t, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
}

func TestServer_Shutdown_saysGoodbyeToTunnels(t *testing.T) {
	target := tunnelled(t, "", echo)
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.upgrade("")
	w.send(string(frame(1, 5, true)))
	w.exactly(string(frame(1, 5, true)))
	ended := make(chan error, 1)
	go func() { ended <- r.server.Shutdown(t.Context()) }()
	w.exactly(string(goingAway))
	w.send(string(frame(opClose, 2, true)))
	w.ends(true)
	if err := next(t, ended); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestServer_Shutdown_failsNoRequestOfKeptConnections(t *testing.T) {
	addr := httpTarget(t, mirror)
	r := newRig(t, Settings{}, newService(addr, addr))
	var clients sync.WaitGroup
	loaded := make(chan struct{}, 8)
	for i := range 8 {
		clients.Go(func() {
			conn, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Errorf("dial: %v", err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			br := bufio.NewReader(conn)
			depth := 1 + i%3 // how many requests are under way at once
			request := "POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
			if _, err := io.WriteString(conn, strings.Repeat(request, depth)); err != nil {
				t.Errorf("write: %v", err)
				return
			}
			for n := 0; ; n++ {
				res, err := http.ReadResponse(br, nil)
				if err != nil {
					t.Errorf("client %d, answer %d: %v", i, n, err)
					return
				}
				if body, err := io.ReadAll(res.Body); string(body) != "hello" || err != nil || res.StatusCode != 200 {
					t.Errorf("client %d, answer %d: %d %q %v", i, n, res.StatusCode, body, err)
					return
				}
				if n == 20 {
					loaded <- struct{}{}
				}
				if res.Close {
					return // announced: what was not answered can be sent elsewhere
				}
				// Once it was announced, a write may meet a closed connection.
				_, _ = io.WriteString(conn, request)
			}
		})
	}
	for range 8 {
		next(t, loaded)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.server.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	clients.Wait()
}

func TestServer_Shutdown_answersAClientThatIdledUntilNow(t *testing.T) {
	r := newRig(t, Settings{}, newService(answering(t, ok("x")).addr))
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	w.receive("GET")
	ended := make(chan error, 1)
	go func() { ended <- r.server.Shutdown(t.Context()) }()
	eventually(t, "it is shutting down", r.server.leaving.Load)
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, body := w.receive("GET"); body != "x" || !res.Close {
		t.Errorf("got %q, close %v", body, res.Close)
	}
	if err := next(t, ended); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestServer_Shutdown_canBeCalledTwice(t *testing.T) {
	r := newRig(t, Settings{}, newService(answering(t, ok("x")).addr))
	r.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET")
	for range 2 {
		if err := r.server.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.server.Serve(ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("serve after shutdown: %v", err)
	}
}
