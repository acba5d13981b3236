package hostilesuite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// seen is what the client of a case got.
type seen struct {
	interim []*answer
	answer  *answer // final, as far as it came
	err     error   // how it ended, nil when it is whole
	took    time.Duration
	times   int // how often the request came to the target
}

// The bounds of a case.
const (
	patience   = 5 * TargetTimeout // for an answer
	maxInterim = 1000              // that are read
)

// Run lets the target misbehave as c says, behind the proxy, and returns what the
// proxy did wrong; "" is nothing. Cases of one target run one after the other.
func Run(ctx context.Context, c Case, target *Target, proxy string) (wrong string) {
	for range 1 + c.again {
		if wrong = once(ctx, c, target, proxy); wrong != "" {
			return wrong
		}
	}
	return ""
}

func once(ctx context.Context, c Case, target *Target, proxy string) string {
	target.newCase(c.accept)
	defer target.newCase(nil)
	if err := target.quiet(ctx); err != nil {
		return err.Error()
	}
	if c.primed {
		if wrong := prime(ctx, c, target, proxy); wrong != "" {
			return "before the case: " + wrong
		}
	}
	script := c.script
	if script == nil {
		script = []step{honest()}
	}
	token, r := target.expect(&role{script: script, unread: c.unread})
	client, err := dial(ctx, proxy)
	if err != nil {
		return err.Error()
	}
	defer client.end()
	s := client.ask(c, token)
	var on []int
	s.times, on = target.came(r)
	if wrong := c.judge(s, token); wrong != "" {
		return wrong
	}
	// What a target sends once it has the next request, no proxy can tell from an
	// answer to it: whoever asks next asks when all was sent.
	select {
	case <-r.done:
	case <-time.After(200 * time.Millisecond):
	}
	if wrong := client.askOn(c, s, target); wrong != "" {
		return wrong
	}
	return others(ctx, c, s, on, target, proxy)
}

// quiet waits until no connection of an earlier case is open.
func (t *Target) quiet(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		t.mu.Lock()
		n := len(t.conns)
		t.mu.Unlock()
		if n == 0 {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	// The proxy has to notice, too.
	select {
	case <-time.After(20 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// prime makes an honest exchange, on whose connection the target then idles as the
// case says.
func prime(ctx context.Context, c Case, target *Target, proxy string) string {
	token, r := target.expect(&role{script: []step{honest()}, after: c.idle})
	client, err := dial(ctx, proxy)
	if err != nil {
		return err.Error()
	}
	defer client.end()
	if s := client.ask(Case{}, token); !s.honest(token) {
		return s.String()
	}
	select {
	case <-r.done:
	case <-time.After(patience):
		return "the target did not come to its end"
	}
	return ""
}

// others checks that further clients get their own answers, on other connections
// to the target if the answer of the case was no good.
func others(ctx context.Context, c Case, s *seen, on []int, target *Target, proxy string) string {
	for range 2 {
		token, r := target.expect(&role{script: []step{honest()}})
		client, err := dial(ctx, proxy)
		if err != nil {
			return "the next client: " + err.Error()
		}
		next := client.ask(Case{}, token)
		client.end()
		if !next.honest(token) {
			return "the next client got " + next.String()
		}
		if !c.discard && s.good() {
			continue
		}
		_, reused := target.came(r)
		for _, n := range reused {
			if slices.Contains(on, n) {
				return s.String() + ", and the connection to the target was used again"
			}
		}
	}
	return ""
}

// good reports whether the answer is a whole one that the target may have meant.
func (s *seen) good() bool { return s.err == nil && s.answer.status != 502 && s.answer.status != 504 }

// honest reports whether this is the answer to the request of that token, and
// nothing else.
func (s *seen) honest(token string) bool {
	return s.err == nil && s.answer.status == 200 && len(s.interim) == 0 && strings.HasPrefix(string(s.answer.body), token+" ")
}

// String describes what was seen.
func (s *seen) String() string {
	var b strings.Builder
	if n := len(s.interim); n > 0 {
		fmt.Fprintf(&b, "%d × %d, ", n, s.interim[0].status)
	}
	a := s.answer
	if a.status == 0 {
		fmt.Fprintf(&b, "no answer, %s", how(s.err))
	} else {
		fmt.Fprintf(&b, "%d", a.status)
		if n := len(a.body); n > 0 && n <= 24 && a.status < 400 {
			fmt.Fprintf(&b, " %q", a.body)
		} else if a.status < 400 {
			fmt.Fprintf(&b, " with %d bytes", n)
		}
		fmt.Fprintf(&b, ", %s", how(s.err))
	}
	if s.took > TargetTimeout {
		fmt.Fprintf(&b, ", after %.0f s", s.took.Seconds())
	}
	return b.String()
}

// client is one connection to the proxy.
type client struct {
	net.Conn
	r *bufio.Reader
}

func dial(ctx context.Context, proxy string) (*client, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", proxy)
	if err != nil {
		return nil, fmt.Errorf("connect to the proxy: %w", err)
	}
	return &client{conn, bufio.NewReaderSize(conn, 64<<10)}, nil
}

// end closes the connection; whatever went wrong with it was seen before.
func (c *client) end() { _ = c.Close() }

// ask sends the request of a case and reads what comes back.
func (c *client) ask(of Case, token string) *seen {
	method := of.method
	if method == "" {
		method = "GET"
	}
	head := method + " /" + token + " HTTP/1.1\r\nHost: hostile.test\r\n" + of.fields
	if n := len(of.body) + of.upload; n > 0 || method == "POST" {
		head += fmt.Sprintf("Content-Length: %d\r\n", n)
	}
	began := time.Now()
	_ = c.SetDeadline(began.Add(patience))
	_, err := io.WriteString(c, head+"\r\n"+of.body)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if of.upload > 0 {
			_, _ = io.CopyN(c, zeros{}, int64(of.upload)) // may well be refused before its end
		}
	}()
	s := &seen{answer: &answer{}, err: err}
	if err == nil {
		s.read(c.r, method)
	}
	s.took = time.Since(began)
	if of.upload > 0 {
		_ = c.Close()
	}
	<-sent
	return s
}

func (s *seen) read(r *bufio.Reader, method string) {
	for {
		s.answer, s.err = readAnswer(r, method)
		if s.err != nil || s.answer.status >= 200 || s.answer.status == 101 {
			return
		}
		s.interim = append(s.interim, s.answer)
		if len(s.interim) > maxInterim {
			s.answer, s.err = &answer{}, bad("more than %d interim responses", maxInterim)
			return
		}
	}
}

// askOn checks that the connection of the case, where it persists, has nothing but
// the answer to the next request.
func (c *client) askOn(of Case, s *seen, target *Target) string {
	if s.err != nil || s.answer.close || s.answer.status == 101 || of.upload > 0 {
		return ""
	}
	token, _ := target.expect(&role{script: []step{honest()}})
	next := c.ask(Case{}, token)
	if next.honest(token) || next.answer.status == 0 && (how(next.err) == "closed" || how(next.err) == "reset") {
		return ""
	}
	return s.String() + ", then on the same connection " + next.String()
}

// zeros is a body.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
