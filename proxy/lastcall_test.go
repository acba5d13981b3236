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
	"syscall"
	"testing"
	"time"
)

// shutdown begins the end of the rig's server, which has limit for it.
func (r *rig) shutdown(limit time.Duration) (ended chan error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	r.t.Cleanup(cancel)
	ended = make(chan error, 1)
	go func() { ended <- r.server.Shutdown(ctx) }()
	eventually(r.t, "it is leaving", r.server.leaving.Load)
	return ended
}

// A request that never ends is no reason to say goodbye to tunnels at the last moment.
func TestServer_Shutdown_tellsTunnelsInTime(t *testing.T) {
	asked := make(chan struct{}, 1)
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		head, _ := readHead(r)
		if strings.Contains(head, "Upgrade") {
			_, _ = io.WriteString(c, upgradeAnswer)
			echo(c, r)
			return
		}
		if strings.Contains(head, "/late") {
			_, _ = io.WriteString(c, ok("hello"))
			return
		}
		asked <- struct{}{}
		_, _ = r.ReadByte() // no answer ever
	})
	r := newRig(t, Settings{}, newService(target.addr))
	tunnel, endless := r.upgrade(""), r.wire()
	endless.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	next(t, asked)
	ended := r.shutdown(5 * time.Second)
	tunnel.exactly(string(goingAway))
	tunnel.send(string(frame(opClose, 2, true)))
	tunnel.ends(true)
	<-time.After(10 * acceptTail)
	late := r.wire() // the listener is open still
	late.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, body := late.receive("GET"); body != "hello" {
		t.Errorf("got %d %q behind the goodbye", res.StatusCode, body)
	}
	if err := next(t, ended); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v, want it to cut what never ends", err)
	}
}

// atItsEnd is a context that is about to end for ever.
type atItsEnd struct{ context.Context }

func (atItsEnd) Deadline() (time.Time, bool) { return time.Now(), true }

// Behind the listeners a tunnel is told at once, though it is opened only then and a
// request is still under way.
func TestServer_Shutdown_endsTunnelsThatAreOpenedAtTheEnd(t *testing.T) {
	asked, answer, upgrade := make(chan struct{}, 2), make(chan struct{}), make(chan struct{})
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		head, _ := readHead(r)
		asked <- struct{}{}
		if strings.Contains(head, "Upgrade") {
			next(t, upgrade)
			_, _ = io.WriteString(c, upgradeAnswer)
			echo(c, r)
			return
		}
		next(t, answer)
		_, _ = io.WriteString(c, ok("hello"))
	})
	r := newRig(t, Settings{}, newService(target.addr))
	request, tunnel := r.wire(), r.wire()
	request.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	tunnel.send(upgradeRequest)
	next(t, asked)
	next(t, asked)
	ended := make(chan error, 1)
	go func() { ended <- r.server.Shutdown(atItsEnd{t.Context()}) }()
	eventually(t, "tunnels are ended", func() bool {
		r.server.mu.Lock()
		defer r.server.mu.Unlock()
		return r.server.untunnel
	})
	close(upgrade)
	tunnel.head()
	tunnel.exactly(string(goingAway))
	tunnel.send(string(frame(opClose, 2, true)))
	tunnel.ends(true)
	close(answer)
	if _, body := request.receive("GET"); body != "hello" {
		t.Errorf("got %q for what was under way", body)
	}
	if err := next(t, ended); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// Where every request takes long there is no moment without any: those that were
// accepted last have time to end all the same.
func TestServer_Shutdown_cutsNobodyItAccepted(t *testing.T) {
	const takes = 700 * time.Millisecond
	address := httpTarget(t, func(w http.ResponseWriter, _ *http.Request) {
		<-time.After(takes)
		_, _ = io.WriteString(w, "hello")
	})
	r := newRig(t, Settings{}, newService(address))
	var visitors sync.WaitGroup
	var served counter
	for i := range 7 {
		visitors.Go(func() {
			<-time.After(time.Duration(i) * takes / 7) // one begins at any time
			for served.visit(t, "http://"+r.addr) {
			}
		})
	}
	eventually(t, "they are served", func() bool { return served.n() > 7 })
	before := served.n()
	if err := next(t, r.shutdown(6*time.Second)); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	visitors.Wait()
	if served.n() <= before+7 {
		t.Errorf("%d requests served before, %d all in all: nobody new", before, served.n())
	}
}

// counter counts visits that were served.
type counter struct {
	mu     sync.Mutex
	served int // guarded by mu
}

func (c *counter) n() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.served
}

// visit asks on a connection of its own, and reports false once it is refused.
func (c *counter) visit(t *testing.T, url string) bool {
	own := &http.Transport{DisableKeepAlives: true}
	ask, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Error(err)
		return false
	}
	res, err := own.RoundTrip(ask)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) {
		return false // reset: nobody had accepted what was queued
	}
	if err != nil {
		t.Errorf("visit: %v", err)
		return false
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); res.StatusCode != 200 || string(body) != "hello" || err != nil {
		t.Errorf("visit: got %d %q, %v", res.StatusCode, body, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.served++
	return true
}
