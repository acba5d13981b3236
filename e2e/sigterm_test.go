package e2e

import (
	"bufio"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// inFlight is a target whose /slow and /endless are answered in two halves; the
// second of /slow comes when the test says so.
func inFlight(t *testing.T) (target *rawTarget, release func()) {
	t.Helper()
	goOn := make(chan struct{})
	release = sync.OnceFunc(func() { close(goOn) })
	target = startRaw(t, &rawTarget{answer: func(x *asked) bool {
		const half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst"
		switch x.URL.Path {
		case "/slow":
			x.say(half)
			<-goOn
			x.say("other")
		case "/endless":
			x.say(half)
			_, _ = io.Copy(io.Discard, x.in) // until it is cut
			return false
		default:
			x.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		return true
	}})
	t.Cleanup(release)
	return target, release
}

// underWay asks for path, and returns once the first half of the answer is here.
func underWay(t *testing.T, p *proxy, path string) rawConn {
	t.Helper()
	c := dialProxy(t, p)
	_, _ = io.WriteString(c.c, "GET "+path+" HTTP/1.1\r\nHost: app.test\r\n\r\n")
	peek := bufio.NewReaderSize(c.r, 4096)
	c.r = peek
	for n := 1; ; n++ {
		b, err := peek.Peek(n)
		if err != nil {
			t.Fatalf("GET %s: %v", path, err)
		}
		if n > 5 && string(b[n-5:]) == "first" {
			return c
		}
	}
}

// newcomers ask one after the other, each on a connection of its own, until they are
// refused.
type newcomers struct {
	served  atomic.Int64
	running sync.WaitGroup
}

func (n *newcomers) arrive(t *testing.T, p *proxy) {
	n.running.Go(func() {
		for {
			status, body, header, err := tryAsk(t.Context(), p.address, "app.test", "/")
			switch {
			case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
				return // reset: nobody had accepted what was queued
			case err != nil || status != 200 || body != "ok":
				t.Errorf("a newcomer: got %d %q %v, %v", status, body, header, err)
				return
			}
			n.served.Add(1)
		}
	})
}

// Requests of three seconds are under way at SIGTERM: they end well, everybody else
// is served meanwhile, and behind the last of them so is the program.
func TestSIGTERM_servesEverybodyUntilTheWorkIsDone(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	target, release := inFlight(t)
	p.do(t, "deploy", "web", "--target", target.address)
	var slow [4]rawConn
	for i := range slow {
		slow[i] = underWay(t, p, "/slow")
	}
	p.signal(t, syscall.SIGTERM)
	var others newcomers
	for range 4 {
		others.arrive(t, p)
	}
	three := time.After(3 * time.Second)
	waitFor(t, 10*time.Second, "newcomers to be served", func() bool { return others.served.Load() > 8 })
	late := dialProxy(t, p)
	_, _ = io.WriteString(late.c, "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
	if resp := late.expect(t, 200); !resp.Close {
		t.Error("an answer behind SIGTERM has no Connection: close")
	}
	<-three
	at := others.served.Load()
	waitFor(t, 10*time.Second, "newcomers to be served still", func() bool { return others.served.Load() > at })
	release()
	for _, c := range slow {
		c.expect(t, 200)
	}
	if status := p.exit(t, slack(5*time.Second)); status != 0 {
		t.Errorf("exit status = %d, want 0", status)
	}
	others.running.Wait()
	t.Logf("%d newcomers served", others.served.Load())
}

// What never ends is cut at the drain timeout; until just before that, everybody else
// is served.
func TestSIGTERM_isBoundedByTheDrainTimeout(t *testing.T) {
	p := startProxy(t, proxyOptions{env: []string{"UPFRONT_DRAIN_TIMEOUT=3s"}})
	target, _ := inFlight(t)
	p.do(t, "deploy", "web", "--target", target.address)
	endless := underWay(t, p, "/endless")
	p.signal(t, syscall.SIGTERM)
	began := time.Now()
	var others newcomers
	others.arrive(t, p)
	waitFor(t, 10*time.Second, "newcomers to be served", func() bool { return others.served.Load() > 8 })
	if status := p.exit(t, slack(10*time.Second)); status != 0 {
		t.Errorf("exit status = %d, want 0", status)
	}
	took := time.Since(began)
	if took < 2*time.Second {
		t.Errorf("ended after %v, before the drain timeout of 3s", took)
	}
	if rest, err := io.ReadAll(endless.r); err == nil && len(rest) > 0 && string(rest[len(rest)-5:]) == "other" {
		t.Errorf("the endless answer became whole: %q", rest)
	}
	others.running.Wait()
	t.Logf("ended %v after SIGTERM", took)
}

// A second signal means now.
func TestSIGTERM_aSecondSignalEndsItAtOnce(t *testing.T) {
	for _, second := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(second.String(), func(t *testing.T) {
			p := startProxy(t, proxyOptions{env: []string{"UPFRONT_DRAIN_TIMEOUT=10m"}})
			target, _ := inFlight(t)
			p.do(t, "deploy", "web", "--target", target.address)
			underWay(t, p, "/endless")
			p.signal(t, syscall.SIGTERM)
			waitFor(t, 10*time.Second, "it to stop", func() bool {
				late := dialProxy(t, p)
				_, _ = io.WriteString(late.c, "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
				return late.expect(t, 200).Close
			})
			p.signal(t, second)
			if status := p.exit(t, 10*time.Second); status != 1 {
				t.Errorf("exit status = %d, want 1", status)
			}
		})
	}
}
