package wssuite

// closing is about close frames.
var closing = []Case{
	{Name: "close: every code from either side", run: both(func(s *side) (all []string) {
		for code := 1000; code <= 4999; code++ {
			all = append(all, s.by(opClose, status(code, "")))
		}
		return all
	})},
	{Name: "close: codes that may not be sent pass", run: both(func(s *side) []string {
		return []string{s.by(opClose, status(0, "")), s.by(opClose, status(999, "")), s.by(opClose, status(65535, "")), s.by(opClose, "x")}
	})},
	{Name: "close: without a code", run: both(func(s *side) []string { return []string{s.by(opClose, "")} })},
	{Name: "close: with the longest reason", run: both(func(s *side) []string {
		return []string{s.by(opClose, status(4000, payload(123)))}
	})},
	{Name: "close: cut in two", run: both(func(s *side) []string {
		whole := s.by(opClose, status(1000, "bye"))
		return []string{whole[:3], whole[3:]}
	})},
	{Name: "close: the client first, then both ends", run: func(p *pair) {
		client, target := p.open()
		client.pass(target, masked(opClose, status(1000, "done")))
		target.pass(client, unmasked(opClose, status(1000, "done")))
		_ = target.Close() // RFC 6455 §7.1.1: the server closes first
		client.ends()
	}},
	{Name: "close: the target first, then both ends", run: func(p *pair) {
		client, target := p.open()
		target.pass(client, unmasked(opClose, status(1001, "")))
		client.pass(target, masked(opClose, status(1001, "")))
		_ = target.Close()
		client.ends()
	}},
	{Name: "close: frame and FIN at once from the target", run: func(p *pair) {
		client, target := p.open()
		target.send(unmasked(opBinary, payload(1<<20)) + unmasked(opClose, status(1011, "")))
		_ = target.Close()
		client.want(unmasked(opBinary, payload(1<<20)) + unmasked(opClose, status(1011, "")))
		client.ends()
	}},
	{Name: "close: frame and FIN at once from the client", run: func(p *pair) {
		client, target := p.open()
		client.send(masked(opBinary, payload(1<<20)) + masked(opClose, status(1000, "")))
		_ = client.Close()
		target.want(masked(opBinary, payload(1<<20)) + masked(opClose, status(1000, "")))
		target.isGone(p.soon())
	}},
	{Name: "close: both at the same time", run: func(p *pair) {
		client, target := p.open()
		together(
			func() { client.pass(target, masked(opClose, status(1000, "c"))) },
			func() { target.pass(client, unmasked(opClose, status(1000, "t"))) },
		)
		_ = target.Close()
		client.ends()
	}},
	{Name: "close: what comes behind the frame passes", run: both(func(s *side) []string {
		return []string{s.by(opClose, status(1000, "")), s.by(opText, "more")}
	})},
}

// ends is about connections that end, with or without a close frame.
var ends = []Case{
	{Name: "end: FIN of the client reaches the target", run: func(p *pair) {
		client, target := p.open()
		client.send(masked(opText, "bye"))
		client.closeWrite()
		target.want(masked(opText, "bye"))
		_ = target.SetReadDeadline(inTime(p.soon()))
		target.ends()
	}},
	{Name: "end: the target sends on after FIN of the client", run: func(p *pair) {
		client, target := p.open()
		client.closeWrite()
		target.ends()
		target.pass(client, unmasked(opBinary, payload(1<<20)))
		_ = target.Close()
		client.ends()
	}},
	{Name: "end: FIN of the target reaches the client", run: func(p *pair) {
		client, target := p.open()
		target.send(unmasked(opText, "bye"))
		target.closeWrite()
		client.want(unmasked(opText, "bye"))
		_ = client.SetReadDeadline(inTime(p.soon()))
		client.ends()
	}},
	{Name: "end: the client sends on after FIN of the target", run: func(p *pair) {
		client, target := p.open()
		target.closeWrite()
		client.ends()
		client.pass(target, masked(opBinary, payload(1<<20)))
		_ = client.Close()
		target.isGone(p.soon())
	}},
	{Name: "end: the client is gone, the target learns of it within a second", run: func(p *pair) {
		client, target := p.open()
		_ = client.Close()
		target.isGone(p.soon())
	}},
	{Name: "end: the target is gone, the client learns of it within a second", run: func(p *pair) {
		client, target := p.open()
		_ = target.Close()
		client.isGone(p.soon())
	}},
	{Name: "end: reset of the client reaches the target within a second", run: func(p *pair) {
		client, target := p.open()
		client.reset()
		target.isGone(p.soon())
	}},
	{Name: "end: reset of the target reaches the client within a second", run: func(p *pair) {
		client, target := p.open()
		target.reset()
		client.isGone(p.soon())
	}},
	{Name: "end: reset of the client while the target sends without rest", run: func(p *pair) {
		client, target := p.open()
		ended := flooding(target)
		client.want(unmasked(opBinary, payload(60_000)))
		client.reset()
		wait(ended, p.soon(), "target sent on for longer than a second")
	}},
	{Name: "end: reset of the target while the client sends without rest", run: func(p *pair) {
		client, target := p.open()
		ended := flooding(client)
		target.want(masked(opBinary, payload(60_000)))
		target.reset()
		wait(ended, p.soon(), "client sent on for longer than a second")
	}},
	{Name: "end: last words of a target that resets are not lost", run: func(p *pair) {
		client, target := p.open()
		last := unmasked(opBinary, payload(50_000)) + unmasked(opClose, status(1011, "crash"))
		together(
			func() { client.send(masked(opBinary, payload(1<<20))) }, // which the target never reads
			func() {
				target.send(last)
				client.want(last[:1])
				target.reset()
			},
		)
		client.want(last[1:])
		client.isGone(p.soon())
	}},
	{Name: "end: of the client inside a frame", run: func(p *pair) {
		client, target := p.open()
		half := masked(opBinary, payload(1000))[:500]
		client.send(half)
		client.closeWrite()
		target.want(half)
		target.ends()
	}},
	{Name: "end: of the target inside a frame", run: func(p *pair) {
		client, target := p.open()
		half := unmasked(opBinary, payload(1000))[:500]
		target.send(half)
		_ = target.Close()
		client.want(half)
		client.isGone(p.soon())
	}},
}
