package wssuite

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Limit is how long a case may take.
const Limit = 20 * time.Second

// Proxy is the proxy under test. It sends every request to the target of the suite.
type Proxy struct {
	// Address where clients arrive, as host:port.
	Address string
	// Slack is what bounds on time are multiplied with. Zero is 1.
	Slack int
	// Limits are short, for the cases about them. Zero leaves those out, and the limits
	// may be what they want: short ones are in the way of all other cases.
	Limits Limits
	// Control runs a command of proxyctl. Nil is another proxy than Upfront: the
	// cases about deploys are left out.
	Control func(args ...string) error
}

// Limits of a proxy: how long it keeps a client's connection without a request, and
// a tunnel in which nothing moves.
type Limits struct{ Idle, Tunnel time.Duration }

// Short are limits that a machine under load still keeps apart.
var Short = Limits{Idle: time.Second, Tunnel: 4 * time.Second}

// Case is one thing that a proxy must do.
type Case struct {
	// Name says what, as "group: what happens".
	Name string

	needs need
	run   func(p *pair)
}

// need is what a proxy must have for a case.
type need uint8

const (
	anything need = iota
	shortLimits
	control
)

// Fits reports whether the case makes sense for the proxy.
func (c Case) Fits(p Proxy) bool {
	short := p.Limits != Limits{}
	switch c.needs {
	case shortLimits:
		return short
	case control:
		return p.Control != nil && !short
	default:
		return !short
	}
}

// Cases returns all cases.
func Cases() []Case {
	var all []Case
	for _, group := range [][]Case{handshakes, switches, earlyData, framing, closing, ends, bulk, silence, deploys} {
		all = append(all, group...)
	}
	return all
}

// Suite is the target that the cases script. Close ends it.
type Suite struct {
	*target
}

// New starts a target on a port of its own.
func New() (*Suite, error) {
	t, err := newTarget()
	if err != nil {
		return nil, err
	}
	return &Suite{t}, nil
}

// Target is the address of the target, for the config of the proxy. It answers /up
// with 200.
func (s *Suite) Target() string { return s.address() }

// Close closes the target and waits for its goroutines.
func (s *Suite) Close() { s.close() }

// Run runs one case and returns what was seen instead of what should have been; nil
// when all was well. Cases can run at the same time.
func (s *Suite) Run(proxy Proxy, c Case) (err error) {
	if proxy.Slack == 0 {
		proxy.Slack = 1
	}
	p := &pair{proxy: proxy, target: s.target, path: pathOf(c.Name)}
	p.arrivals = s.expect(p.path)
	defer func() {
		p.close()
		s.forget(p.path)
	}()
	return attempt(func() { c.run(p) })
}

// Result of a case.
type Result struct {
	Case Case
	Err  error // what was seen instead; nil when all was well
	Took time.Duration
}

// RunAll runs the cases that fit the proxy, so many at once, in their order.
func (s *Suite) RunAll(proxy Proxy, atOnce int) []Result {
	var results []Result
	for _, c := range Cases() {
		if c.Fits(proxy) {
			results = append(results, Result{Case: c})
		}
	}
	free := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for i := range results {
		free <- struct{}{}
		running.Go(func() {
			began := time.Now()
			results[i].Err = s.Run(proxy, results[i].Case)
			results[i].Took = time.Since(began)
			<-free
		})
	}
	running.Wait()
	return results
}

func pathOf(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
	return "/" + strings.Join(words, "-")
}

// target accepts the connections of the proxy, and hands each to the case whose path
// it asks for.
type target struct {
	ln      net.Listener
	running sync.WaitGroup

	mu      sync.Mutex
	cases   map[string]chan *side // guarded by mu; by path
	waiting map[net.Conn]struct{} // guarded by mu; without a request
}

func newTarget() (*target, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it returns at once
	if err != nil {
		return nil, err
	}
	t := &target{ln: ln, cases: make(map[string]chan *side), waiting: make(map[net.Conn]struct{})}
	t.running.Go(t.accept)
	return t, nil
}

func (t *target) address() string { return t.ln.Addr().String() }

func (t *target) close() {
	_ = t.ln.Close()
	t.mu.Lock()
	for conn := range t.waiting {
		_ = conn.Close()
	}
	t.mu.Unlock()
	t.running.Wait()
}

func (t *target) accept() {
	for {
		conn, err := t.ln.Accept()
		if err != nil {
			return
		}
		t.await(conn, bufio.NewReader(conn))
	}
}

// await waits for a request on conn in a goroutine of its own.
func (t *target) await(conn net.Conn, r *bufio.Reader) {
	t.mu.Lock()
	t.waiting[conn] = struct{}{}
	t.mu.Unlock()
	t.running.Go(func() { t.dispatch(conn, r) })
}

const upAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

func (t *target) dispatch(conn net.Conn, r *bufio.Reader) {
	head, err := readHead(r)
	t.mu.Lock()
	delete(t.waiting, conn)
	path := pathIn(head)
	arrivals := t.cases[path]
	t.mu.Unlock()
	if err == nil && path == "/up" {
		_, _ = io.WriteString(conn, upAnswer)
	}
	if err != nil || arrivals == nil {
		_ = conn.Close()
		return
	}
	select {
	case arrivals <- newSide("target", conn, r, head):
	default:
		_ = conn.Close()
	}
}

func (t *target) expect(path string) chan *side {
	arrivals := make(chan *side, 2000)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cases[path] = arrivals
	return arrivals
}

// forget closes what arrived for a case that did not want it.
func (t *target) forget(path string) {
	t.mu.Lock()
	arrivals := t.cases[path]
	delete(t.cases, path)
	t.mu.Unlock()
	for {
		select {
		case s := <-arrivals:
			_ = s.Close()
		default:
			return
		}
	}
}

// readHead reads one head, the empty line included.
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

// pathIn is the path of a request head, without the query.
func pathIn(head string) string {
	fields := strings.SplitN(head, " ", 3)
	if len(fields) < 3 {
		return ""
	}
	path, _, _ := strings.Cut(fields[1], "?")
	return path
}
