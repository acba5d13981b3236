package hostilesuite

import (
	"strings"
	"time"
)

const answers = "{token} " // the body of an honest answer

func surplus() []Case {
	after := func(name string, then ...step) Case {
		return Case{Name: name, RFC: "RFC 9112 §9.2", script: append([]step{honest()}, then...), judge: passes(200, answers), discard: true}
	}
	at := func(name string, idle ...step) Case {
		return Case{Name: name, RFC: "RFC 9112 §9.2", primed: true, idle: idle, judge: passes(200, answers)}
	}
	dropped := func(name, rfc, raw string, j judge) Case {
		c := says(name, rfc, raw, j)
		c.discard = true
		return c
	}
	repeated := func(times int, c Case) Case {
		c.again = times
		return c
	}
	tick := 10 * time.Millisecond
	return of("surplus",
		dropped("a second answer in one write", "RFC 9112 §9.2", whole(answers)+poison, passes(200, answers)),
		dropped("a byte", "RFC 9112 §9.2", whole(answers)+"x", passes(200, answers)),
		dropped("behind the last chunk", "RFC 9112 §9.2", coded("Transfer-Encoding: chunked\r\n")+poison, passes(200, "hello")),
		dropped("100 KB", "RFC 9112 §9.2", whole(answers)+strings.Repeat(poison, 2000), passes(200, answers)),
		Case{Name: "a second answer in a second write", RFC: "RFC 9112 §9.2", script: []step{honest(), say(poison)}, judge: passes(200, answers), again: 30},
		after("a second answer 10 ms later", pause(tick), say(poison)),
		repeated(5, at("an answer on an idle connection", pause(tick), say(poison), pause(tick))),
		at("an answer on an idle connection, and a close", pause(tick), say(poison), fin()),
		at("408 on an idle connection, and a close", pause(tick), say("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), fin()),
		at("half a head on an idle connection", pause(tick), say("HTTP/1.1 200 OK\r\nContent-Le"), pause(tick)),
		at("an empty line on an idle connection", pause(tick), say("\r\n"), pause(tick)),
		at("100 on an idle connection", pause(tick), say("HTTP/1.1 100 Continue\r\n\r\n"), pause(tick)),
		Case{Name: "an answer on an idle connection, then POST", RFC: "RFC 9112 §9.2", method: "POST", body: "b", primed: true, idle: []step{pause(tick), say(poison), pause(tick)}, judge: both(passes(200, answers+"b"), deliveredOnce)},
		Case{Name: "an answer before it read the request", RFC: "RFC 9112 §9.2", accept: []step{say(whole("first")), pause(tick)}, script: []step{say(poison)}, judge: harmless("first", "poison"), discard: true},
	)
}

func interims() []Case {
	const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
	final := whole(answers)
	refusedUpgrade := both(refused, withoutSwitch)
	return of("1xx",
		says("103, then the answer", "RFC 8297 §2", hints+final, passes(200, answers)),
		says("100 unasked, then the answer", "RFC 9110 §15.2", "HTTP/1.1 100 Continue\r\n\r\n"+final, passes(200, answers)),
		says("102, then the answer", "RFC 9110 §15.2", "HTTP/1.1 102 Processing\r\n\r\n"+final, passes(200, answers)),
		says("199, then the answer", "RFC 9110 §15.2", "HTTP/1.1 199 X\r\n\r\n"+final, passes(200, answers)),
		Case{Name: "103, then the answer later", RFC: "RFC 8297 §2", script: []step{say(hints), pause(50 * time.Millisecond), honest()}, judge: passes(200, answers)},
		says("101 that nobody asked for", "RFC 9110 §15.2.2", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"+poison, refusedUpgrade),
		Case{
			Name: "101 to another protocol than asked", RFC: "RFC 9110 §7.8", judge: refusedUpgrade,
			fields: "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
			script: []step{say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + poison)},
		},
		thenCloses("103 and a close", "RFC 9110 §15.2", hints, cut),
		thenResets("103 and a reset", "RFC 9110 §15.2", hints, cut),
		thenCloses("100 and a close", "RFC 9110 §15.2", "HTTP/1.1 100 Continue\r\n\r\n", refused),
		says("103 with a folded line", "RFC 9112 §5.2", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n b\r\n\r\n"+final, harmless(answers)),
		says("103 with NUL", "RFC 9110 §5.5", "HTTP/1.1 103 Early Hints\r\nLink: a\x00b\r\n\r\n"+final, harmless(answers)),
		Case{Name: "100 without an end", script: []step{flood("HTTP/1.1 100 Continue\r\n\r\n", 1<<30)}, judge: cutInTime},
		Case{Name: "103 without an end", script: []step{flood(hints, 1<<30)}, judge: cutInTime},
		Case{Name: "102 once in 100 ms without an end", script: []step{trickle("HTTP/1.1 102 Processing\r\n\r\n", 100*time.Millisecond)}, judge: cut},
	)
}

// withoutSwitch wants that the client is not told to change protocols.
func withoutSwitch(s *seen, _ string) string {
	if s.answer.status == 101 {
		return s.String()
	}
	return ""
}

func silences() []Case {
	post := func(name string, then ...step) Case {
		return Case{Name: name, RFC: "RFC 9110 §9.2.2", method: "POST", body: "b", script: then, judge: both(refused, deliveredOnce)}
	}
	return of("silence",
		Case{Name: "closes without a byte", RFC: "RFC 9112 §9.5", script: []step{fin()}, judge: both(refused, soon)},
		Case{Name: "resets without a byte", RFC: "RFC 9112 §9.5", script: []step{rst()}, judge: both(refused, soon)},
		post("closes without a byte on a POST", fin()),
		post("resets without a byte on a POST", rst()),
		Case{Name: "accepts, reads, and hangs", script: []step{hang()}, judge: givenUp},
		Case{Name: "hangs on a POST", method: "POST", body: "b", script: []step{hang()}, judge: both(givenUp, deliveredOnce)},
		Case{Name: "hangs inside the head", script: []step{say("HTTP/1.1 200 OK\r\nX-A: "), hang()}, judge: givenUp},
		Case{Name: "hangs behind 103", script: []step{say("HTTP/1.1 103 Early Hints\r\n\r\n"), hang()}, judge: cutInTime},
		Case{Name: "a head that trickles without an end", script: []step{say("HTTP/1.1 200 OK\r\nX-A: "), trickle("a", 100*time.Millisecond)}, judge: givenUp},
		Case{Name: "a status line that trickles without an end", script: []step{say("HTTP/1.1 200 "), trickle("a", 100*time.Millisecond)}, judge: givenUp},
	)
}

func reuse() []Case {
	twice := func(name, method string, j judge, then ...step) Case {
		c := Case{Name: name, RFC: "RFC 9112 §9.3.1", method: method, primed: true, script: []step{ifReused(then...)}, judge: j}
		if method == "POST" || method == "PUT" {
			c.body = "b"
		}
		return c
	}
	stale := func(name, method string, idle ...step) Case {
		c := Case{Name: name, RFC: "RFC 9112 §9.3.1", method: method, primed: true, idle: idle, again: 5}
		c.judge = passes(200, answers)
		if method == "POST" {
			c.body, c.judge = "b", both(passes(200, answers+"b"), deliveredOnce)
		}
		return c
	}
	return of("kept connection",
		twice("GET is answered by a close", "GET", passes(200, answers), fin()),
		twice("GET is answered by a reset", "GET", passes(200, answers), rst()),
		twice("PUT is answered by a close", "PUT", either(passes(200, answers+"b"), refused), fin()),
		twice("POST is answered by a close", "POST", both(either(refused, passes(200, answers+"b")), deliveredOnce), fin()),
		twice("POST is answered by a reset", "POST", both(either(refused, passes(200, answers+"b")), deliveredOnce), rst()),
		stale("GET, closed before", "GET", pause(10*time.Millisecond), fin()),
		stale("GET, reset before", "GET", pause(10*time.Millisecond), rst()),
		stale("POST, closed before", "POST", pause(10*time.Millisecond), fin()),
		stale("POST, reset before", "POST", pause(10*time.Millisecond), rst()),
		stale("POST, closed at once", "POST", fin()),
		stale("POST, reset at once", "POST", rst()),
	)
}

func pace() []Case {
	slow := func(name, raw string, size int, body string) Case {
		return Case{Name: name, RFC: "RFC 9112 §9.5", script: []step{sayPieces(raw, size, 100*time.Millisecond)}, judge: passes(200, body)}
	}
	text := strings.Repeat("0123456789", 3)
	return of("slow",
		Case{
			Name: "a body of known length, a byte in 100 ms, longer than the timeout", RFC: "RFC 9112 §9.5", judge: passes(200, text),
			script: []step{say("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n"), sayPieces(text, 1, 100*time.Millisecond)},
		},
		slow("chunks of a byte, longer than the timeout", chunked(strings.Repeat("1\r\nx\r\n", 30)+"0\r\n\r\n"), 6, strings.Repeat("x", 30)),
		Case{Name: "chunks in pieces of one byte", RFC: "RFC 9112 §7.1", script: []step{sayPieces(chunked("5;a=b\r\nhello\r\n0\r\nX-T: a\r\n\r\n"), 1, time.Millisecond)}, judge: passes(200, "hello")},
		Case{Name: "an answer just in time", script: []step{pause(TargetTimeout * 3 / 4), honest()}, judge: passes(200, answers)},
	)
}

func uploads() []Case {
	early := func(name, rfc, raw string, j judge, then ...step) Case {
		return Case{Name: name, RFC: rfc, method: "POST", upload: 32 << 20, unread: true, script: append([]step{say(raw)}, then...), judge: j}
	}
	const tooLarge = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"
	return of("early answer",
		early("413 to an upload, and a close", "RFC 9112 §9.6", tooLarge, passes(413, "big"), pause(50*time.Millisecond), drainAndClose()),
		early("413 to an upload, and keeps reading", "RFC 9112 §9.6", tooLarge, passes(413, "big"), drainAndClose()),
		early("401 to an upload, and reads nothing", "RFC 9112 §9.3", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno", passes(401, "no"), hang()),
		early("closes inside an upload", "RFC 9110 §9.2.2", "", both(cut, deliveredOnce), fin()),
		early("resets inside an upload", "RFC 9110 §9.2.2", "", both(cut, deliveredOnce), pause(10*time.Millisecond), rst()),
		early("nonsense to an upload", "RFC 9112 §4", "HELLO\r\n\r\n", both(cut, deliveredOnce), drainAndClose()),
		Case{
			Name: "417 to Expect", RFC: "RFC 9110 §10.1.1", method: "POST", fields: "Expect: 100-continue\r\n", upload: 100_000, unread: true,
			script: []step{say("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"), drainAndClose()}, judge: passes(417, "no"),
		},
	)
}

// drainAndClose reads what comes until it ends, as a lingering close does.
func drainAndClose() step {
	return func(t *turn) error {
		_ = t.conn.CloseWrite()
		b := make([]byte, 64<<10)
		for {
			if _, err := t.r.Read(b); err != nil {
				return errDone
			}
		}
	}
}
