package hostilesuite

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Target is the target that every case lets misbehave. What is no request of a case it
// answers with 200.
type Target struct {
	listener *net.TCPListener
	running  sync.WaitGroup

	mu     sync.Mutex
	next   int                  // guarded by mu; the number of the next token
	conns  map[int]*net.TCPConn // guarded by mu; by their number
	number int                  // guarded by mu
	roles  map[string]*role     // guarded by mu; by token
	accept func(*turn) error    // guarded by mu; what the next connection meets first
	over   chan struct{}        // guarded by mu; closed when the case is over
	closed bool                 // guarded by mu
}

// role is what one request asks for, and what became of it.
type role struct {
	script []step
	after  []step        // on the connection that idles then
	done   chan struct{} // closed once both were played
	ended  sync.Once     // closes done
	unread bool
	times  int          // how often the request came; guarded by Target.mu
	seenOn map[int]bool // the connections on which it came; guarded by Target.mu
}

// noToken has the length of every token.
const noToken = "token000000"

// Listen opens the target.
func Listen(address string) (*Target, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	ln, err := net.ListenTCP("tcp", resolved)
	if err != nil {
		return nil, err
	}
	t := &Target{listener: ln, conns: map[int]*net.TCPConn{}, roles: map[string]*role{}, over: make(chan struct{})}
	t.running.Go(t.serve)
	return t, nil
}

// Address is where the proxy has to send everything.
func (t *Target) Address() string { return t.listener.Addr().String() }

// Close ends the target and waits for what it does.
func (t *Target) Close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	_ = t.listener.Close()
	t.newCase(nil)
	t.running.Wait()
}

func (t *Target) serve() {
	for {
		conn, err := t.listener.AcceptTCP()
		if err != nil {
			return
		}
		t.mu.Lock()
		t.number++
		n, over, accept := t.number, t.over, t.accept
		t.accept = nil
		t.conns[n] = conn
		if t.closed {
			_ = conn.Close()
		}
		t.mu.Unlock()
		t.running.Go(func() {
			t.answer(conn, n, over, accept)
			_ = conn.Close()
			t.mu.Lock()
			delete(t.conns, n)
			t.mu.Unlock()
		})
	}
}

// newCase ends what is left of the last case, its connections included.
func (t *Target) newCase(accept []step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.over)
	t.over = make(chan struct{})
	t.accept = nil
	if accept != nil {
		t.accept = func(turn *turn) error { return play(turn, accept) }
	}
	for _, conn := range t.conns {
		_ = conn.SetDeadline(time.Unix(1, 0)) // wakes who reads or writes
	}
}

// expect gives a new token its role.
func (t *Target) expect(r *role) (token string, expected *role) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next++
	token = fmt.Sprintf("token%06d", t.next)
	r.done, r.seenOn = make(chan struct{}), map[int]bool{}
	t.roles[token] = r
	return token, r
}

// came returns how often a request came, and on which connections.
func (t *Target) came(r *role) (times int, on []int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := range r.seenOn {
		on = append(on, n)
	}
	return r.times, on
}

// answer serves one connection.
func (t *Target) answer(conn *net.TCPConn, number int, over chan struct{}, accept func(*turn) error) {
	r := bufio.NewReader(conn)
	if accept != nil && accept(&turn{conn: conn, r: r, over: over, token: noToken}) != nil {
		return
	}
	for uses := 0; ; uses++ {
		head, err := readHead(r)
		if err != nil {
			return
		}
		token, r0 := t.find(head, number)
		now := &turn{conn: conn, r: r, token: token, uses: uses, over: over}
		if r0 == nil {
			if honest()(now) != nil {
				return
			}
			continue
		}
		if !r0.unread {
			if now.body, err = readBody(r, head); err != nil {
				return
			}
		}
		err = play(now, append(slices.Clip(r0.script), r0.after...))
		if err != nil {
			_ = conn.Close()
		}
		r0.ended.Do(func() { close(r0.done) })
		if err != nil {
			return
		}
	}
}

// find returns the role of the request, nil for one that is none of ours.
func (t *Target) find(head string, number int) (string, *role) {
	_, rest, _ := strings.Cut(head, " /")
	token, _, _ := strings.Cut(rest, " ")
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.roles[token]
	if r != nil {
		r.times++
		r.seenOn[number] = true
	}
	return token, r
}

func readHead(r *bufio.Reader) (string, error) {
	var head strings.Builder
	for {
		line, err := r.ReadString('\n')
		head.WriteString(line)
		if err != nil || line == "\r\n" {
			return head.String(), err
		}
	}
}

// readBody reads the body of a request, whichever way the proxy frames it.
func readBody(r *bufio.Reader, head string) (string, error) {
	lower := strings.ToLower(head)
	if strings.Contains(lower, "\r\ntransfer-encoding:") {
		body, _, err := readChunks(r)
		return string(body), err
	}
	_, after, found := strings.Cut(lower, "\r\ncontent-length:")
	if !found {
		return "", nil
	}
	value, _, _ := strings.Cut(after, "\r\n")
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil {
		return "", err
	}
	body := make([]byte, n)
	_, err = io.ReadFull(r, body)
	return string(body), err
}
