package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"upfront/internal/load"
)

// abort is a moment at which a client leaves.
type abort struct {
	name string
	// request is what the client has sent by then; %d is its number.
	request string
	// seen says that the target has the request's head by then.
	seen bool
	// answer is what the target has sent by then.
	answer string
	// flood has the target send without end.
	flood bool
}

var aborts = []abort{
	{name: "in the head", request: "POST /%d HTTP/1.1\r\nHost: app.te"},
	{name: "after the head of an upload", request: "POST /%d HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000\r\n\r\n", seen: true},
	{name: "in an upload", request: "POST /%d HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000\r\n\r\n" + some, seen: true},
	{name: "in a chunk", request: "POST /%d HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n" + some, seen: true},
	{name: "between two chunks", request: "POST /%d HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", seen: true},
	{name: "while an upload is answered", request: "POST /%d HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000\r\n\r\n" + some, seen: true, answer: streamed},
	{name: "waiting for the answer to an upload", request: "POST /%d HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello", seen: true},
	{name: "waiting for an answer", request: "GET /%d HTTP/1.1\r\nHost: app.test\r\n\r\n", seen: true},
	{name: "in an answer of known length", request: "GET /%d HTTP/1.1\r\nHost: app.test\r\n\r\n", seen: true, answer: "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + some},
	{name: "in a stream", request: "GET /%d HTTP/1.1\r\nHost: app.test\r\n\r\n", seen: true, answer: streamed},
	{name: "in a flood", request: "GET /%d HTTP/1.1\r\nHost: app.test\r\n\r\n", seen: true, answer: "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", flood: true},
}

const (
	some     = "some of what was announced"
	streamed = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
)

// told is how soon a target has to know that its client left.
const told = 100 * time.Millisecond

// Clients leave at every moment, with a reset or in order: the target sees it at
// once, and nothing of them is left behind.
func TestSoakAborts_reachTheTargetAndLeaveNothing(t *testing.T) {
	run := func(n int) (goroutines int, stacks string) {
		p := startProxy(t, proxyOptions{})
		a := newAborters(t, p)
		a.run(t, scale(300, 2000)) // warm
		waitFor(t, 20*time.Second, "the warm-up to be over", func() bool { return a.open.Load() == 0 })
		before, _ := p.resources(t)
		a.took = load.Histogram{}
		began := time.Now()
		a.run(t, n)
		p.expectDescriptors(t, before)
		after, _ := p.resources(t)
		t.Logf("%d aborts in %v; told after p50 %v, p99 %v, p99.9 %v, at most %v", n, time.Since(began).Round(time.Millisecond),
			a.took.Quantile(0.5), a.took.Quantile(0.99), a.took.Quantile(0.999), a.took.Max())
		t.Logf("before: %v; after: %v", before, after)
		a.wrong.expectNone(t)
		if p99 := a.took.Quantile(0.99); full() && p99 > told || p99 > slack(2*time.Second) {
			t.Errorf("the target was told of 99 %% of the aborts after %v, want %v", p99, told)
		}
		if !race() && after.resident > before.resident+8<<10 {
			t.Errorf("memory rose from %v to %v", before, after)
		}
		if status, _, _ := ask(t, p.address, "other.test", "/whole"); status != http.StatusOK {
			t.Errorf("answer afterwards = %d, want 200", status)
		}
		return p.dump(t)
	}
	few, _ := run(100)
	many, stacks := run(scale(2000, 100_000))
	if many > few+3 {
		t.Errorf("%d goroutines after many aborts, %d after few:\n%s", many, few, stacks)
	}
}

// aborters are clients that leave, and the target that they leave alone.
type aborters struct {
	address string
	open    atomic.Int64 // requests that the target serves
	next    atomic.Int64
	all     sync.Map // by number: *abortion
	wrong   faults

	mu   sync.Mutex
	took load.Histogram // guarded by mu; from a client's leave to the target's notice
}

// abortion is one client's leave, from both sides.
type abortion struct {
	abort
	seen chan struct{}  // closed when the target has the head
	gone chan time.Time // when the target noticed
}

func newAborters(t *testing.T, p *proxy) *aborters {
	a := &aborters{address: p.address}
	target := startRaw(t, &rawTarget{answer: a.serve})
	p.do(t, "deploy", "web", "--target", target.address)
	return a
}

// serve is the target: it does its part, and waits for the client to leave.
func (a *aborters) serve(x *asked) bool {
	number, err := strconv.ParseInt(strings.TrimPrefix(x.URL.Path, "/"), 10, 64)
	if err != nil {
		x.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		return true
	}
	at, found := a.all.Load(number)
	one, ok := at.(*abortion)
	if !found || !ok {
		a.wrong.add(fmt.Errorf("the target was asked for %q", x.URL))
		return false
	}
	a.open.Add(1)
	defer a.open.Add(-1)
	var sending sync.WaitGroup
	close(one.seen)
	x.say(one.answer)
	if one.flood {
		sending.Go(func() {
			_ = writePattern(x.conn, 1_000_000_000) // until it fails
		})
	}
	// All that the client still sends, up to its end.
	_, _ = x.in.WriteTo(io.Discard)
	one.gone <- time.Now()
	_ = x.conn.Close()
	sending.Wait()
	return false
}

// run makes n clients come and leave, some at a time.
func (a *aborters) run(t *testing.T, n int) {
	t.Helper()
	var clients sync.WaitGroup
	left := atomic.Int64{}
	left.Store(int64(n))
	for range 24 {
		clients.Go(func() {
			for left.Add(-1) >= 0 && t.Context().Err() == nil && !a.wrong.many() {
				number := a.next.Add(1)
				kind := aborts[int(number)%len(aborts)]
				if err := a.leave(t.Context(), number, kind, rand.N(2) == 0); err != nil {
					a.wrong.add(fmt.Errorf("%s: %w", kind.name, err))
				}
			}
		})
	}
	clients.Wait()
}

// leave is one client, which leaves with a reset or in order.
func (a *aborters) leave(ctx context.Context, number int64, kind abort, reset bool) error {
	one := &abortion{abort: kind, seen: make(chan struct{}), gone: make(chan time.Time, 1)}
	a.all.Store(number, one)
	defer a.all.Delete(number)
	c, err := dialRaw(ctx, a.address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(c, kind.request, number); err != nil {
		return err
	}
	if kind.seen {
		if err := await(one.seen); err != nil {
			return fmt.Errorf("the target was never asked: %w", err)
		}
	}
	if kind.answer != "" {
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			return fmt.Errorf("read head: %w", err)
		}
	}
	if number%5 == 0 { // and not always at the first moment
		select {
		case <-time.After(rand.N(3 * time.Millisecond)):
		case <-ctx.Done():
		}
	}
	left := time.Now()
	if reset {
		cut(c)
	} else {
		_ = c.Close()
	}
	if !kind.seen {
		return nil
	}
	at, err := awaitValue(one.gone)
	if err != nil {
		return fmt.Errorf("reset %v: the target was not told: %w", reset, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.took.Add(at.Sub(left))
	return nil
}

var errLate = errors.New("not within 20s")

func await(c <-chan struct{}) error {
	_, err := awaitValue(c)
	return err
}

func awaitValue[T any](c <-chan T) (v T, err error) {
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	select {
	case v = <-c:
		return v, nil
	case <-timer.C:
		return v, errLate
	}
}
