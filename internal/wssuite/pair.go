package wssuite

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// pair is the client and the target of a case, with the proxy between them.
type pair struct {
	proxy    Proxy
	target   *target
	path     string
	arrivals chan *side

	ends []func() // what must be done at the end; owner: the case

	mu    sync.Mutex
	sides []*side // guarded by mu
}

// failure is what a case panics with, so that its script can be read straight down.
type failure struct{ err error }

func failf(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

// attempt returns what f failed with.
func attempt(f func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			err = p.err
		default:
			panic(p)
		}
	}()
	f()
	return nil
}

// together runs all at once and fails with the first failure.
func together(all ...func()) {
	errs := make([]error, len(all))
	var running sync.WaitGroup
	for i, f := range all {
		running.Go(func() { errs[i] = attempt(f) })
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		for _, first := range errs {
			if first != nil {
				panic(failure{first})
			}
		}
	}
}

func (p *pair) close() {
	p.mu.Lock()
	for _, s := range p.sides {
		_ = s.Close()
	}
	p.mu.Unlock()
	for _, end := range p.ends {
		end()
	}
}

func (p *pair) add(s *side) *side {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sides = append(p.sides, s)
	return s
}

// dial connects a client that has sent nothing.
func (p *pair) dial() *side {
	conn, err := net.Dial("tcp", p.proxy.Address) //nolint:noctx // loopback answers at once
	if err != nil {
		failf("dial: %v", err)
	}
	return p.add(newSide("client", conn, nil, ""))
}

// accept waits for the next request that reaches the target.
func (p *pair) accept() *side { return p.acceptOf(p.arrivals) }

func (p *pair) acceptOf(arrivals <-chan *side) *side {
	select {
	case s := <-arrivals:
		return p.add(s)
	case <-time.After(Limit / 2):
		failf("the request did not reach the target")
		return nil
	}
}

// soon is the bound for what must happen within a second.
func (p *pair) soon() time.Duration { return time.Duration(p.proxy.Slack) * time.Second }

// The parts of a handshake.
const (
	upgradeLines = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	keyLines     = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	acceptLine   = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	switching    = "HTTP/1.1 101 Switching Protocols\r\n"
	answer       = switching + upgradeLines + acceptLine + "\r\n"
)

// request is a head with lines, behind a Host line.
func (p *pair) request(start, lines string) string {
	return start + "\r\nHost: suite.test\r\n" + lines + "\r\n"
}

// handshake is the usual request, with lines added.
func (p *pair) handshake(lines string) string {
	return p.request("GET "+p.path+" HTTP/1.1", upgradeLines+keyLines+lines)
}

// open makes a tunnel.
func (p *pair) open() (client, target *side) {
	client = p.dial()
	client.send(p.handshake(""))
	target = p.accept()
	target.send(answer)
	client.switched()
	return client, target
}

// each runs do from the client to the target, then the other way round.
func (p *pair) each(do func(from, to *side)) {
	client, target := p.open()
	do(client, target)
	do(target, client)
}
