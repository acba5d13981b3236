package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"upfront/internal/load"
)

// slowness is one way to hold a connection and give nothing for it.
type slowness struct {
	name string
	// open is what the client sends at first.
	open string
	// more is what it sends about once a second; "" reads a few bytes instead.
	more string
	// tool is slowhttptest's flags for the same.
	tool []string
	// cost is how many descriptors one holds: with the target's, two.
	cost int
}

var slownesses = []slowness{
	{
		name: "heads", open: "GET / HTTP/1.1\r\nHost: slow.test\r\n", more: "X-Slow: a\r\n",
		tool: []string{"-H", "-i", "10", "-x", "20"}, cost: 1,
	},
	{
		name: "bodies", open: "POST / HTTP/1.1\r\nHost: slow.test\r\nContent-Length: 8192\r\n\r\n", more: "a slow body ",
		tool: []string{"-B", "-i", "10", "-s", "8192", "-x", "10"}, cost: 2,
	},
	{
		name: "readers", open: "GET / HTTP/1.1\r\nHost: slow.test\r\n\r\n",
		tool: []string{"-X", "-n", "1", "-z", "5", "-w", "512", "-y", "1024"}, cost: 2,
	},
}

// What slow clients may cost: memory for each, in KB.
const slowMemory = 32

// slowSize is what slow readers get, in bytes: more than the buffers of the system
// hold.
const slowSize = 16 << 20

// startSlow starts a proxy with one target, which slow clients and others ask.
func startSlow(t *testing.T, limits string) (p *proxy, direct string) {
	t.Helper()
	dir := shortFolder(t)
	path := filepath.Join(dir, "proxy.yml")
	if err := os.WriteFile(path, []byte(limits), 0o600); err != nil {
		t.Fatal(err)
	}
	p = startProxy(t, proxyOptions{config: path, dir: dir})
	target := startRaw(t, &rawTarget{answer: func(x *asked) bool {
		if x.Method == http.MethodPost {
			_, err := io.Copy(io.Discard, x.Body)
			x.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			return err == nil
		}
		if x.URL.Path == "/quick" {
			x.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			return true
		}
		x.say("HTTP/1.1 200 OK\r\nContent-Length: " + itoa(slowSize) + "\r\n\r\n")
		return writePattern(x.conn, slowSize) == nil
	}})
	p.do(t, "deploy", "web", "--target", target.address)
	return p, target.address
}

// A few hundred slow clients, of every kind at once: nobody else waits for them,
// heads that do not come are cut, and all is as before afterwards.
func TestSoakSlowClients_areBornAndCut(t *testing.T) {
	const headTimeout = time.Second
	p, _ := startSlow(t, "limits:\n  head_timeout: 1s\n")
	probeFor(t, p.address, scaleTime(time.Second, 10*time.Second)) // warm
	before, _ := p.resources(t)
	for _, s := range slownesses {
		t.Run(s.name, func(t *testing.T) {
			n := scale(200, 5000)
			p.resetPeak(t)
			slow := openSlow(t, p, s, n)
			probe := probeFor(t, p.address, scaleTime(2*time.Second, 12*time.Second))
			now, _ := p.resources(t)
			t.Logf("%d slow %s: %d KB each, %v; a quick client meanwhile: %s", n, s.name, (now.peak-before.resident)/n, now, describe(probe))
			if s.name == "heads" {
				expectCut(t, slow, headTimeout)
			}
			slow.close()
			if !race() && full() && now.peak-before.resident > slowMemory*n {
				t.Errorf("a slow client costs %d KB, want at most %d", (now.peak-before.resident)/n, slowMemory)
			}
			p.expectDescriptors(t, before)
		})
	}
}

// slowClients are open connections on which little happens.
type slowClients struct {
	opened time.Time
	conns  []net.Conn
	cut    atomic.Int64 // ended by the proxy
	last   atomic.Int64 // nanoseconds after its opening at which the last was cut
	stop   context.CancelFunc
	wait   sync.WaitGroup
}

func openSlow(t *testing.T, p *proxy, s slowness, n int) *slowClients {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	clients := &slowClients{opened: time.Now(), stop: cancel}
	t.Cleanup(clients.close)
	for range n {
		c, err := dialRaw(ctx, p.address)
		if err != nil {
			t.Fatal(err)
		}
		if s.more == "" {
			_ = c.SetReadBuffer(2048)
		}
		clients.conns = append(clients.conns, c)
		began := time.Now()
		if _, err := io.WriteString(c, s.open); err != nil {
			t.Fatal(err)
		}
		clients.wait.Go(func() { clients.run(ctx, c, s, began) })
	}
	return clients
}

// run goes on slowly until the proxy ends the connection.
func (s *slowClients) run(ctx context.Context, c *net.TCPConn, kind slowness, began time.Time) {
	ended := make(chan struct{})
	if kind.more != "" { // an answer would be a refusal; wait for the end
		s.wait.Go(func() {
			defer close(ended)
			_, _ = io.Copy(io.Discard, c)
			if ctx.Err() == nil {
				s.cut.Add(1)
				s.last.Store(max(s.last.Load(), int64(time.Since(began))))
			}
		})
	}
	var few [16]byte
	for {
		select {
		case <-ended:
			return
		case <-ctx.Done():
			return
		case <-time.After(500*time.Millisecond + rand.N(time.Second)):
		}
		var err error
		if kind.more == "" {
			_, err = c.Read(few[:])
		} else {
			_, err = io.WriteString(c, kind.more)
		}
		if err != nil {
			return
		}
	}
}

func (s *slowClients) close() {
	s.stop()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.wait.Wait()
	s.conns = nil
}

// expectCut waits until all were cut, and fails when one was kept for too long.
func expectCut(t *testing.T, s *slowClients, timeout time.Duration) {
	t.Helper()
	n := int64(len(s.conns))
	waitFor(t, slack(timeout+10*time.Second), "all slow heads to be cut", func() bool { return s.cut.Load() == n })
	last := time.Duration(s.last.Load())
	t.Logf("the last of %d was cut after %v", n, last)
	if most := timeout + slack(2*time.Second); last > most {
		t.Errorf("the last slow head was cut after %v, want %v", last, timeout)
	}
}

// probeFor asks at fixed times, however long answers take, and returns how long
// they took from the time at which they were due.
func probeFor(t testing.TB, address string, d time.Duration) *load.Histogram {
	t.Helper()
	const lanes, every = 4, 40 * time.Millisecond
	var mu sync.Mutex
	var all load.Histogram
	var wrong faults
	var asking sync.WaitGroup
	began := time.Now()
	for lane := range lanes {
		asking.Go(func() {
			one, err := probeLane(t.Context(), address, began.Add(every*time.Duration(lane)/lanes), every, d)
			if err != nil {
				wrong.add(err)
			}
			mu.Lock()
			defer mu.Unlock()
			all.Merge(one)
		})
	}
	asking.Wait()
	wrong.expectNone(t)
	return &all
}

func probeLane(ctx context.Context, address string, due time.Time, every, d time.Duration) (*load.Histogram, error) {
	var took load.Histogram
	c, err := dialRaw(ctx, address)
	if err != nil {
		return &took, err
	}
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	for end := due.Add(d); due.Before(end); due = due.Add(every) {
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return &took, ctx.Err()
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(c, "GET /quick HTTP/1.1\r\nHost: quick.test\r\n\r\n"); err != nil {
			return &took, err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return &took, err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || string(body) != "ok" {
			return &took, errors.Join(fmt.Errorf("got %d %.80q", resp.StatusCode, body), err)
		}
		took.Add(time.Since(due))
	}
	return &took, nil
}

func describe(h *load.Histogram) string {
	return fmt.Sprintf("%d requests, p50 %v, p99 %v, max %v", h.Count(),
		h.Quantile(0.5).Round(time.Microsecond), h.Quantile(0.99).Round(time.Microsecond), h.Max().Round(time.Microsecond))
}

// scaleTime is ci, or promised with UPFRONT_E2E_FULL=1.
func scaleTime(ci, promised time.Duration) time.Duration {
	return time.Duration(scale(int(ci), int(promised)))
}

// The tool that attackers use, in the sizes that are promised.
func TestSoakSlowhttptest(t *testing.T) {
	if !full() {
		t.Skip("make soak runs it")
	}
	if _, err := exec.LookPath("slowhttptest"); err != nil {
		t.Fatal("slowhttptest is not installed: apt-get install slowhttptest")
	}
	for _, s := range slownesses {
		t.Run(s.name, func(t *testing.T) { runSlowhttptest(t, s) })
	}
}

func runSlowhttptest(t *testing.T, s slowness) {
	const connections, rate, length = 5000, 1000, 25
	p, direct := startSlow(t, "{}\n")
	probeFor(t, p.address, 5*time.Second) // warm
	quiet := probeFor(t, p.address, 15*time.Second)
	before, _ := p.resources(t)
	p.resetPeak(t)
	args := append([]string{"-c", itoa(connections), "-r", itoa(rate), "-l", itoa(length), "-p", "5", "-u", "http://" + p.address + "/"}, s.tool...)
	// It opens as many connections as its soft limit allows. It takes a core whole, for
	// itself: nice leaves that to those that have something to do, as an attacker on
	// another machine does.
	tool := start(t, shellCommand(`ulimit -n "$(ulimit -Hn)" && exec nice -n 19 slowhttptest "$@"`, args...))
	go func() { _, _ = io.Copy(io.Discard, tool.stdout) }()
	open := 0
	waitFor(t, 30*time.Second, "all to be connected", func() bool {
		now, _ := p.descriptors()
		open = max(open, now-before.descriptors)
		return open >= s.cost*connections || now-before.descriptors < open-100 // or the first are cut already
	})
	open /= s.cost
	// A client that asks the target directly shows what the machine itself costs.
	machine := make(chan *load.Histogram, 1)
	go func() { machine <- probeFor(t, direct, 15*time.Second) }()
	busy := probeFor(t, p.address, 15*time.Second)
	now, _ := p.resources(t)
	t.Logf("%s: %d connections at once, %d KB each; %v", strings.Join(s.tool, " "), open, (now.peak-before.resident)/max(open, 1), now)
	t.Logf("a quick client before: %s", describe(quiet))
	t.Logf("a quick client during: %s (p99 %+.0f %%)", describe(busy),
		100*(busy.Quantile(0.99).Seconds()/quiet.Quantile(0.99).Seconds()-1))
	t.Logf("one without the proxy during: %s", describe(<-machine))
	if !race() && now.peak-before.resident > slowMemory*open {
		t.Errorf("%d slow connections cost %d KB, want at most %d each", open, now.peak-before.resident, slowMemory)
	}
	if s.name == "heads" {
		if now, _ := p.descriptors(); now > before.descriptors+connections/2 {
			t.Errorf("%d descriptors are held still, 15 s after slow heads began", now)
		}
	}
	tool.exit(t, time.Minute)
	p.expectDescriptors(t, before)
	after, _ := p.resources(t)
	t.Logf("afterwards: %v", after)
}
