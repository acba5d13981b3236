package wssuite

import (
	"strings"
	"time"
)

// goingAway is what a client is told when a drain ends its tunnel.
var goingAway = unmasked(opClose, status(1001, ""))

// deploys are about a proxy that can be told to change its targets.
var deploys = []Case{
	{Name: "deploy: 1001 after the grace, and the answer goes on", needs: control, run: func(p *pair) {
		s := p.newService()
		client, target := s.open(s.old)
		done := s.replace("2s")
		for range 3 {
			client.isOpen(150 * time.Millisecond)
			client.pass(target, masked(opText, "within the grace"))
			target.pass(client, unmasked(opText, "so am I"))
		}
		client.want(goingAway)
		client.pass(target, masked(opClose, status(1001, "")))
		target.ends()
		client.ends()
		done()
	}},
	{Name: "deploy: never inside a frame", needs: control, run: func(p *pair) {
		s := p.newService()
		client, target := s.open(s.old)
		whole := unmasked(opBinary, payload(1<<20))
		target.pass(client, whole[:1<<19])
		done := s.replace("300ms")
		client.isOpen(600 * time.Millisecond)
		target.pass(client, whole[1<<19:])
		client.want(goingAway)
		client.pass(target, masked(opClose, status(1001, "")))
		done()
	}},
	{Name: "deploy: between two frames of a stream without rest", needs: control, run: func(p *pair) {
		s := p.newService()
		client, target := s.open(s.old)
		flooding(target)
		done := s.replace("300ms")
		one := unmasked(opBinary, payload(60_000))
		for {
			next, err := client.r.Peek(len(goingAway))
			if err != nil {
				failf("client got no 1001: %v", plain(err))
			}
			if string(next) == goingAway {
				break
			}
			client.want(one)
		}
		client.want(goingAway)
		answer := masked(opClose, status(1001, ""))
		client.send(answer)
		target.want(answer)
		target.ends()
		client.ends()
		done()
	}},
	{Name: "deploy: between two fragments of a message", needs: control, run: func(p *pair) {
		s := p.newService()
		client, target := s.open(s.old)
		target.pass(client, raw(opText, "first", false, 0))
		done := s.replace("100ms")
		client.want(goingAway)
		done()
	}},
	{Name: "deploy: does not wait for a client that takes nothing", needs: control, run: func(p *pair) {
		s := p.newService()
		_, target := s.open(s.old)
		fill(target, much())
		done := s.replace("100ms")
		target.isGone(4 * p.soon())
		done()
	}},
	{Name: "deploy: new sockets go to the new target, old ones stay within the grace", needs: control, run: func(p *pair) {
		s := p.newService()
		client, target := s.open(s.old)
		done := s.replace("10s")
		for s.newest(s.old, s.next) != s.next {
			client.pass(target, masked(opText, "here"))
		}
		client.pass(target, masked(opText, "still here"))
		client.pass(target, masked(opClose, status(1000, "")))
		_ = target.Close()
		client.ends()
		done()
	}},
	{Name: "deploy: 100 open sockets are all moved", needs: control, run: func(p *pair) {
		s := p.newService()
		clients := make([]*side, 100)
		for i := range clients {
			clients[i], _ = s.open(s.old)
		}
		done := s.replace("200ms")
		for _, client := range clients {
			client.want(goingAway)
			client.send(masked(opClose, status(1001, "")))
		}
		for _, client := range clients {
			client.ends()
		}
		done()
		for range clients {
			client, target := s.open(s.next)
			client.pass(target, masked(opText, "moved"))
		}
	}},
	{Name: "deploy: 1,000 idle sockets stay over the deploy of another service", needs: control, run: func(p *pair) {
		clients, targets := make([]*side, 1000), make([]*side, 1000)
		for i := range clients {
			clients[i], targets[i] = p.open()
		}
		s := p.newService()
		s.replace("0s")()
		for i := range clients {
			clients[i].pass(targets[i], masked(opText, "still here"))
			targets[i].pass(clients[i], unmasked(opText, "so am I"))
		}
	}},
	{Name: "stop: 1001 after the grace", needs: control, run: func(p *pair) {
		s := p.newService()
		client, target := s.open(s.old)
		done := s.background("stop", s.name, "--drain-timeout", "100ms")
		client.want(goingAway)
		client.pass(target, masked(opClose, status(1001, "")))
		client.ends()
		done()
	}},
	{Name: "pause: an open socket goes on", needs: control, run: func(p *pair) {
		s := p.newService()
		client, target := s.open(s.old)
		s.do("pause", s.name, "--drain-timeout", "100ms")
		client.pass(target, masked(opText, "while paused"))
		s.do("resume", s.name)
		target.pass(client, unmasked(opText, "afterwards"))
	}},
}

// service is a service of a case's own, with a target that is to be replaced by the
// next.
type service struct {
	p         *pair
	name      string
	old, next *instance
}

// instance is a target of a service.
type instance struct {
	*target
	arrivals chan *side
}

// newService deploys a service of its own.
func (p *pair) newService() *service {
	s := &service{p: p, name: p.path[1:], old: p.newInstance(), next: p.newInstance()}
	p.ends = append(p.ends, func() { _ = p.proxy.Control("remove", s.name, "--drain-timeout", "1ms") })
	s.do("deploy", s.name, "--host", s.host(), "--target", s.old.address())
	return s
}

func (p *pair) newInstance() *instance {
	t, err := newTarget()
	if err != nil {
		failf("start target: %v", err)
	}
	p.ends = append(p.ends, func() { t.forget(p.path); t.close() })
	return &instance{target: t, arrivals: t.expect(p.path)}
}

// host is short enough for a label of a host name.
func (s *service) host() string {
	return strings.Trim(strings.ToLower(s.name[:min(len(s.name), 60)]), "-") + ".test"
}

// do runs proxyctl.
func (s *service) do(args ...string) {
	if err := s.p.proxy.Control(args...); err != nil {
		failf("%v", err)
	}
}

// background runs proxyctl; the func that it returns waits for the end.
func (s *service) background(args ...string) (done func()) {
	ended := make(chan error, 1)
	go func() { ended <- s.p.proxy.Control(args...) }()
	return func() {
		select {
		case err := <-ended:
			if err != nil {
				failf("%v", err)
			}
		case <-time.After(Limit):
			failf("proxyctl %s did not end", args[0])
		}
	}
}

// replace deploys the next target.
func (s *service) replace(grace string) (done func()) {
	return s.background("deploy", s.name, "--host", s.host(), "--target", s.next.address(), "--drain-timeout", grace)
}

func (s *service) handshake() string {
	return strings.Replace(s.p.handshake(""), "suite.test", s.host(), 1)
}

// open makes a tunnel to the instance that must get it.
func (s *service) open(at *instance) (client, target *side) {
	client = s.p.dial()
	client.send(s.handshake())
	target = s.p.acceptOf(at.arrivals)
	target.send(answer)
	client.switched()
	return client, target
}

// newest makes a tunnel and ends it, and returns the instance that got it.
func (s *service) newest(all ...*instance) *instance {
	client := s.p.dial()
	client.send(s.handshake())
	for range Limit / time.Millisecond {
		for _, at := range all {
			select {
			case target := <-at.arrivals:
				_ = target.Close()
				return at
			case <-time.After(time.Millisecond):
			}
		}
	}
	failf("the request did not reach a target")
	return nil
}
