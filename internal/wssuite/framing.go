package wssuite

import (
	"slices"
	"strings"
)

// earlyData is what is sent before the handshake is through.
var earlyData = []Case{
	{Name: "early data: a frame behind the request", run: early(1, 0)},
	{Name: "early data: a frame behind the 101", run: early(0, 1)},
	{Name: "early data: 40 KB behind the request", run: early(40_000, 0)},
	{Name: "early data: 1 MB behind the request", run: early(1<<20, 0)},
	{Name: "early data: 1 MB behind the 101", run: early(0, 1<<20)},
	{Name: "early data: 300 KB behind both", run: early(300_000, 300_000)},
	{Name: "early data: a frame of which the head is cut by the 101", run: func(p *pair) {
		client := p.dial()
		client.send(p.handshake(""))
		target := p.accept()
		whole := unmasked(opBinary, payload(1000))
		target.send(answer+whole[:3], whole[3:])
		client.switched()
		client.want(whole)
	}},
}

// early has both sides send a frame of so many bytes with their half of the handshake.
func early(fromClient, fromTarget int) func(*pair) {
	return func(p *pair) {
		client := p.dial()
		up, down := masked(opBinary, payload(fromClient)), unmasked(opBinary, payload(fromTarget))
		together(func() { client.send(p.handshake("") + up) }, func() {
			target := p.accept()
			together(func() { target.send(answer + down) }, func() { target.want(up + masked(opText, "next")) })
		}, func() {
			client.switched()
			client.want(down)
			client.send(masked(opText, "next"))
		})
	}
}

// framing is frames of every kind, in both directions.
var framing = []Case{
	{Name: "frames: lengths around the widths of the length", run: both(func(s *side) (all []string) {
		for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 65537} {
			all = append(all, s.by(opBinary, payload(n)))
		}
		return all
	})},
	{Name: "frames: empty ones", run: both(func(s *side) []string {
		return []string{strings.Repeat(s.by(opText, "")+s.by(opBinary, "")+s.by(opPing, ""), 100)}
	})},
	{Name: "frames: 16 MB from the client", run: func(p *pair) {
		client, target := p.open()
		client.pass(target, masked(opBinary, payload(16<<20)))
	}},
	{Name: "frames: 16 MB from the target", run: func(p *pair) {
		client, target := p.open()
		target.pass(client, unmasked(opBinary, payload(16<<20)))
	}},
	{Name: "frames: lengths wider than needed", run: both(func(s *side) []string {
		mask := s.name == "client"
		return []string{raw(fin|opText, "five!", mask, 2), raw(fin|opText, "five!", mask, 8), raw(fin|opText, payload(300), mask, 8)}
	})},
	{Name: "frames: the start of one of 2^62 bytes", run: both(func(s *side) []string {
		return []string{head(fin|opBinary, 1<<62, s.name == "client", 8) + payload(100_000)}
	})},
	{Name: "frames: in single bytes", run: both(func(s *side) []string {
		all := s.by(opText, "") + s.by(opText, "hello") + s.by(opBinary, payload(200)) + head(fin|opBinary, 70_000, s.name == "client", 8)
		return strings.Split(all, "")
	})},
	{Name: "frames: cut at every byte of the head", run: func(p *pair) {
		client, target := p.open()
		for at := 1; at <= 14; at++ {
			for _, n := range []int{1, 300, 70_000} {
				whole := masked(opBinary, payload(n))
				cut := min(at, len(whole))
				client.send(whole[:cut])
				target.want(whole[:cut])
				client.pass(target, whole[cut:])
			}
		}
	}},
	{Name: "frames: masked and unmasked from either side", run: both(func(*side) []string {
		return []string{masked(opText, "masked"), unmasked(opText, "not masked")}
	})},
	{Name: "fragments: a message of 1,000", run: both(func(s *side) []string {
		return fragments(s, 1000, nil)
	})},
	{Name: "fragments: control frames between them", run: both(func(s *side) []string {
		return fragments(s, 50, []string{s.by(opPing, "are you there"), s.by(opPong, ""), s.by(opPing, payload(125))})
	})},
	{Name: "fragments: empty ones", run: both(func(s *side) []string {
		mask := s.name == "client"
		return []string{raw(opText, "", mask, 0), raw(0, "", mask, 0), raw(fin, "", mask, 0)}
	})},
	{Name: "control: ping and pong both ways", run: func(p *pair) {
		p.each(func(from, to *side) {
			for _, data := range []string{"", "x", payload(125)} {
				from.pass(to, from.by(opPing, data))
				to.pass(from, to.by(opPong, data))
			}
		})
	}},
	{Name: "control: longer than 125 bytes passes", run: both(func(s *side) []string {
		return []string{s.by(opPing, payload(126)), s.by(opPong, payload(70_000))}
	})},
	{Name: "control: fragmented passes", run: both(func(s *side) []string {
		mask := s.name == "client"
		return []string{raw(opPing, "pi", mask, 0), raw(fin, "ng", mask, 0)}
	})},
	{Name: "bits: compressed messages (RSV1) pass", run: both(func(s *side) []string {
		mask := s.name == "client"
		return []string{raw(fin|0x40|opText, "\xf2\x48\xcd\xc9\xc9\x07\x00", mask, 0), raw(0x40|opText, "\xf2\x48", mask, 0), raw(fin, "\x05\x00", mask, 0)}
	})},
	{Name: "bits: all reserved bits pass", run: both(func(s *side) (all []string) {
		for rsv := range 8 {
			all = append(all, raw(fin|byte(rsv<<4)|opText, "x", s.name == "client", 0))
		}
		return all
	})},
	{Name: "bits: reserved opcodes pass", run: both(func(s *side) (all []string) {
		for _, opcode := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
			all = append(all, s.by(opcode, "reserved"))
		}
		return all
	})},
	{Name: "text: invalid UTF-8 passes", run: both(func(s *side) []string {
		return []string{s.by(opText, "\xff\xfe\xc0\x80 \xed\xa0\x80"), s.by(opText, "\x00\r\n\r\nGET / HTTP/1.1\r\n\r\n")}
	})},
	{Name: "text: what looks like HTTP is no request", run: both(func(*side) []string {
		return []string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}
	})},
	{Name: "messages: 10,000 in one write", run: both(func(s *side) []string {
		return []string{strings.Repeat(s.by(opText, "hello"), 10_000)}
	})},
	{Name: "messages: 2,000 one by one, each answered", run: func(p *pair) {
		client, target := p.open()
		for range 2000 {
			client.send(masked(opText, "ask"))
			target.want(masked(opText, "ask"))
			target.send(unmasked(opText, "answer"))
			client.want(unmasked(opText, "answer"))
		}
	}},
}

// both has each side send what pieces returns for it.
func both(pieces func(from *side) []string) func(*pair) {
	return func(p *pair) {
		p.each(func(from, to *side) { from.pass(to, pieces(from)...) })
	}
}

// fragments is a message in n frames, with others between each two.
func fragments(s *side, n int, between []string) []string {
	mask := s.name == "client"
	all := []string{raw(opText, "first", mask, 0)}
	for range n - 2 {
		all = append(slices.Concat(all, between), raw(0, "and", mask, 0))
	}
	return append(slices.Concat(all, between), raw(fin, "last", mask, 0))
}
