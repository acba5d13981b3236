package wssuite

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// bulk is much at once.
var bulk = []Case{
	{Name: "bulk: 32 MB each way at once", run: func(p *pair) {
		client, target := p.open()
		up, down := masked(opBinary, payload(1<<20)), unmasked(opBinary, payload(1<<20))
		together(
			repeat(32, func() { client.send(up) }), repeat(32, func() { target.want(up) }),
			repeat(32, func() { target.send(down) }), repeat(32, func() { client.want(down) }),
		)
	}},
	{Name: "bulk: pings are answered under load", run: func(p *pair) {
		client, target := p.open()
		up, down := masked(opBinary, payload(100_000)), unmasked(opBinary, payload(100_000))
		ask, answer := masked(opPing, "?"), unmasked(opPong, "?")
		together(
			repeat(50, func() { client.send(up, ask) }), repeat(50, func() { target.want(up + ask); target.send(answer, down) }),
			repeat(50, func() { client.want(answer + down) }),
		)
	}},
	{Name: "bulk: the client takes nothing of 64 MB for a while", run: func(p *pair) {
		client, target := p.open()
		backpressure(target, client)
	}},
	{Name: "bulk: the target takes nothing of 64 MB for a while", run: func(p *pair) {
		client, target := p.open()
		backpressure(client, target)
	}},
	{Name: "bulk: one way goes on while the other is blocked", run: func(p *pair) {
		client, target := p.open()
		fill(target, much()) // the client takes nothing of it
		for range 100 {
			client.pass(target, masked(opBinary, payload(10_000)))
		}
	}},
	{Name: "bulk: 200 tunnels at once", run: func(p *pair) {
		all := make([]func(), 200)
		for i := range all {
			all[i] = func() {
				client, target := p.open() // not always a pair: arrivals have no order
				for range 10 {
					together(
						func() { client.send(masked(opText, "up")); client.want(unmasked(opText, "down")) },
						func() { target.want(masked(opText, "up")); target.send(unmasked(opText, "down")) },
					)
				}
			}
		}
		together(all...)
	}},
}

// much is 64 MB, which several cases share.
var much = sync.OnceValue(func() string { return payload(64 << 20) })

func repeat(n int, do func()) func() {
	return func() {
		for range n {
			do()
		}
	}
}

// fill sends as much as is taken, until nothing is for half a second.
func fill(s *side, all string) (sent int) {
	for sent < len(all) {
		_ = s.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		n, err := io.WriteString(s, all[sent:])
		sent += n
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			failf("%s could not send: %v", s.name, plain(err))
		}
		if n == 0 {
			break
		}
	}
	_ = s.SetWriteDeadline(time.Now().Add(Limit))
	return sent
}

// backpressure has a side send 64 MB to one that takes nothing: what proxy and system
// hold of it must be bounded, and all must arrive in the end.
func backpressure(from, to *side) {
	all := much()
	if tcp, ok := to.Conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(64 << 10)
	}
	sent := fill(from, all)
	if sent > 32<<20 {
		failf("%d MB of 64 were taken though nobody read them", sent>>20)
	}
	together(func() { from.send(all[sent:]) }, func() { to.want(all) })
}

// flooding sends frames until that fails, which closes ended.
func flooding(s *side) (ended chan struct{}) {
	ended = make(chan struct{})
	b := s.by(opBinary, payload(60_000))
	go func() {
		defer close(ended)
		for {
			if _, err := io.WriteString(s, b); err != nil {
				return
			}
		}
	}()
	return ended
}

// wait waits for the end of a flood.
func wait(ended <-chan struct{}, limit time.Duration, otherwise string) {
	select {
	case <-ended:
	case <-time.After(limit):
		failf("%s", otherwise)
	}
}

func inTime(d time.Duration) time.Time { return time.Now().Add(d) }

// silence is about time.
var silence = []Case{
	{Name: "silence: longer than a client may idle without a request", needs: shortLimits, run: func(p *pair) {
		client, target := p.open()
		client.isOpen(2 * p.proxy.Limits.Idle)
		client.pass(target, masked(opText, "still here"))
		target.pass(client, unmasked(opText, "so am I"))
	}},
	{Name: "silence: of the client while the target talks", needs: shortLimits, run: func(p *pair) {
		client, target := p.open()
		talk(p, target, client)
	}},
	{Name: "silence: of the target while the client talks", needs: shortLimits, run: func(p *pair) {
		client, target := p.open()
		talk(p, client, target)
	}},
	{Name: "silence: of both ends the tunnel at its limit", needs: shortLimits, run: func(p *pair) {
		client, target := p.open()
		client.isOpen(p.proxy.Limits.Tunnel / 2)
		client.isGone(3 * p.proxy.Limits.Tunnel)
		target.isGone(p.soon())
	}},
}

// talk has one side talk for twice as long as both may be silent.
func talk(p *pair, from, to *side) {
	for range 8 {
		to.isOpen(p.proxy.Limits.Tunnel / 4)
		from.pass(to, from.by(opText, "talk"))
	}
}
