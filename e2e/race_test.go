package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"upfront/internal/load/payload"
)

// closing is how a target ends its kept connections.
type closing struct {
	name string
	// idle is after how long it closes a connection on which nothing is asked.
	idle func() time.Duration
	// once closes after every answer, which does not say so.
	once bool
	// gap is how long clients wait between two requests.
	gap func() time.Duration
}

func between(least, most time.Duration) func() time.Duration {
	return func() time.Duration { return least + rand.N(most-least) }
}

var closings = []closing{
	{name: "after 50 ms", idle: func() time.Duration { return 50 * time.Millisecond }, gap: between(20*time.Millisecond, 60*time.Millisecond)},
	{name: "after 45 to 55 ms", idle: between(45*time.Millisecond, 55*time.Millisecond), gap: between(40*time.Millisecond, 60*time.Millisecond)},
	{name: "after each answer", once: true, gap: between(0, 40*time.Millisecond)},
}

// A target closes its connections about when the next request comes: neither a GET
// nor a POST fails, and no POST is delivered twice, or without its body.
func TestSoakKeepAliveRace_failsNothing(t *testing.T) {
	for _, c := range closings {
		t.Run(c.name, func(t *testing.T) {
			const groups, clients = 4, 25
			waves := scale(16, 1000) // 100,000 of each method
			p := startProxy(t, proxyOptions{})
			var wrong faults
			var running sync.WaitGroup
			var all []*racers
			for i := range 2 * groups {
				method := http.MethodGet
				if i%2 == 1 {
					method = http.MethodPost
				}
				r := newRacers(t, p, c, method, i, waves*clients)
				all = append(all, r)
				running.Go(func() { r.run(t.Context(), clients, waves, &wrong) })
			}
			running.Wait()
			seen := map[string]int{}
			for _, r := range all {
				r.judge(&wrong)
				seen[r.method] += len(r.seen)
				seen[r.method+" delivered again"] += r.repeated()
				seen[r.method+" connections"] += int(r.target.opened.Load())
			}
			wrong.expectNone(t)
			t.Logf("%v", seen)
		})
	}
}

// racers are clients that ask one target of their own at the same moment, so that
// every connection to it idles about as long as the clients do.
type racers struct {
	method  string
	host    string
	address string
	gap     func() time.Duration
	target  *rawTarget
	seen    []atomic.Int32 // by the number of the request: how often it was delivered
	broken  faults         // requests that did not arrive whole
}

func newRacers(t *testing.T, p *proxy, c closing, method string, number, requests int) *racers {
	r := &racers{
		method: method, host: fmt.Sprintf("race-%d.test", number), address: p.address, gap: c.gap,
		seen: make([]atomic.Int32, requests),
	}
	r.target = startRaw(t, &rawTarget{idle: c.idle, answer: func(x *asked) bool {
		return r.deliver(x) && !c.once
	}})
	p.do(t, "deploy", "race-"+itoa(number), "--target", r.target.address, "--host", r.host)
	return r
}

// deliver counts a request, verifies its body and answers its number.
func (r *racers) deliver(x *asked) bool {
	number, err := strconv.Atoi(x.URL.Query().Get(payload.KeyNonce))
	if err != nil || number < 0 || number >= len(r.seen) {
		r.broken.add(fmt.Errorf("unknown request %q", x.URL))
		return false
	}
	r.seen[number].Add(1)
	body, err := io.ReadAll(x.Body)
	if err != nil || !bytes.Equal(body, r.body(number)) {
		r.broken.add(errors.Join(fmt.Errorf("%s %d came with %d bytes", r.method, number, len(body)), err))
		return false
	}
	answer := itoa(number)
	x.say("HTTP/1.1 200 OK\r\nContent-Length: " + itoa(len(answer)) + "\r\n\r\n" + answer)
	return true
}

func (r *racers) body(number int) []byte {
	if r.method == http.MethodGet {
		return nil
	}
	return payload.Body(itoa(number), 100+number%3000)
}

// run makes waves of requests, one of each client in every wave.
func (r *racers) run(ctx context.Context, clients, waves int, wrong *faults) {
	conns := make([]*racer, clients)
	for i := range conns {
		conns[i] = &racer{racers: r}
		defer conns[i].close() //nolint:revive // all are needed until the end
	}
	for wave := range waves {
		var asking sync.WaitGroup
		for i, c := range conns {
			asking.Go(func() {
				if err := c.ask(ctx, wave*clients+i); err != nil {
					wrong.add(err)
					c.close()
				}
			})
		}
		asking.Wait()
		if wrong.many() {
			return
		}
		select {
		case <-time.After(r.gap()):
		case <-ctx.Done():
			return
		}
	}
}

// judge adds what the target has seen too often or never, and what came broken.
func (r *racers) judge(wrong *faults) {
	for number := range r.seen {
		n := r.seen[number].Load()
		if n == 0 || n > 1 && r.method == http.MethodPost {
			wrong.add(fmt.Errorf("%s %d of %s was delivered %d times", r.method, number, r.host, n))
		}
	}
	wrong.merge(&r.broken)
}

// repeated is how many requests were delivered more than once.
func (r *racers) repeated() (n int) {
	for number := range r.seen {
		if r.seen[number].Load() > 1 {
			n++
		}
	}
	return n
}

// racer is one client, on one connection as long as the proxy keeps it.
type racer struct {
	*racers
	conn net.Conn
	in   *bufio.Reader
}

func (c *racer) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *racer) ask(ctx context.Context, number int) error {
	if c.conn == nil {
		conn, err := dialRaw(ctx, c.address)
		if err != nil {
			return err
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	_ = c.conn.SetDeadline(time.Now().Add(20 * time.Second))
	body := c.body(number)
	head := fmt.Sprintf("%s /race?nonce=%d HTTP/1.1\r\nHost: %s\r\n", c.method, number, c.host)
	if body != nil {
		head += "Content-Length: " + itoa(len(body)) + "\r\n"
	}
	if _, err := c.conn.Write(append([]byte(head+"\r\n"), body...)); err != nil {
		return fmt.Errorf("%s %d: %w", c.method, number, err)
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return fmt.Errorf("%s %d: %w", c.method, number, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || string(answer) != itoa(number) {
		return errors.Join(fmt.Errorf("%s %d: got %d %.80q", c.method, number, resp.StatusCode, answer), err)
	}
	return nil
}
