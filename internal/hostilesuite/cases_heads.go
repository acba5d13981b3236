package hostilesuite

import (
	"strings"
	"time"
)

// ok is a 200 with these field lines and a body of 5 bytes.
func ok(fields string) string {
	return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 5\r\n\r\nhello"
}

// status is an answer with that status line.
func status(line string) string { return line + "\r\nContent-Length: 5\r\n\r\nhello" }

func statusLines() []Case {
	return of("status line",
		says("HTTP/9.9", "RFC 9112 §2.3", status("HTTP/9.9 200 OK"), refused),
		says("HTTP/2.0", "RFC 9112 §2.3", status("HTTP/2.0 200 OK"), refused),
		says("HTTP/2 without a minor version", "RFC 9112 §2.3", status("HTTP/2 200 OK"), refused),
		says("lower case http/1.1", "RFC 9112 §2.3", status("http/1.1 200 OK"), refused),
		says("no version", "RFC 9112 §4", status("200 OK"), refused),
		says("another protocol", "RFC 9112 §4", status("ICY 200 OK"), refused),
		says("HTTP/0.9: a body alone", "RFC 9112 §4", "<html>hello</html>\r\n\r\n", refused),
		says("TLS", "RFC 9112 §4", "\x15\x03\x01\x00\x02\x02\x46\r\n\r\n", refused),
		says("a space before it", "RFC 9112 §4", status(" HTTP/1.1 200 OK"), refused),
		says("two spaces before the status", "RFC 9112 §4", status("HTTP/1.1  200 OK"), refused),
		says("a tab before the status", "RFC 9112 §4", status("HTTP/1.1\t200 OK"), refused),
		says("no status", "RFC 9112 §4", status("HTTP/1.1"), refused),
		says("status 2xx", "RFC 9112 §4", status("HTTP/1.1 2xx OK"), refused),
		says("status +20", "RFC 9112 §4", status("HTTP/1.1 +20 OK"), refused),
		says("status 20", "RFC 9112 §4", status("HTTP/1.1 20 OK"), refused),
		says("status 1000", "RFC 9112 §4", status("HTTP/1.1 1000 OK"), refused),
		says("status 000", "RFC 9110 §15", status("HTTP/1.1 000 OK"), refused),
		says("status 099", "RFC 9110 §15", status("HTTP/1.1 099 OK"), refused),
		says("status 600", "RFC 9110 §15", status("HTTP/1.1 600 OK"), refused),
		says("NUL in the reason", "RFC 9112 §4", status("HTTP/1.1 200 O\x00K"), harmless("hello")),
		says("CR in the reason", "RFC 9112 §2.2", status("HTTP/1.1 200 O\rK"), harmless("hello")),
		says("lines end in LF alone", "RFC 9112 §2.2", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", harmless("hello")),
		says("no reason", "RFC 9112 §4", status("HTTP/1.1 200 "), passes(200, "hello")),
	)
}

func fieldLines() []Case {
	return of("field lines",
		says("folded line", "RFC 9112 §5.2", ok("X-A: a\r\n b\r\n"), harmless("hello")),
		says("folded Content-Length", "RFC 9112 §5.2", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 0\r\n\r\nhello", cut),
		says("folded first line", "RFC 9112 §2.2", "HTTP/1.1 200 OK\r\n X-A: a\r\nContent-Length: 5\r\n\r\nhello", harmless("hello")),
		says("space before the colon", "RFC 9112 §5.1", ok("X-A : a\r\n"), harmless("hello")),
		says("space before the colon of Content-Length", "RFC 9112 §5.1", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", harmless("hello")),
		says("tab before the colon of Transfer-Encoding", "RFC 9112 §5.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding\t: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", harmless("hello")),
		says("no colon", "RFC 9112 §5", ok("hello\r\n"), refused),
		says("empty name", "RFC 9112 §5.1", ok(": a\r\n"), refused),
		says("space in the name", "RFC 9110 §5.1", ok("X A: a\r\n"), refused),
		says("NUL in the name", "RFC 9110 §5.1", ok("X\x00A: a\r\n"), refused),
		says("control byte in the name", "RFC 9110 §5.1", ok("X\x01A: a\r\n"), refused),
		says("a byte beyond ASCII in the name", "RFC 9110 §5.1", ok("X\xe4A: a\r\n"), refused),
		says("CR in the name", "RFC 9112 §2.2", ok("X\rA: a\r\n"), refused),
		says("NUL in a value", "RFC 9110 §5.5", ok("X-A: a\x00b\r\n"), harmless("hello")),
		says("CR in a value", "RFC 9112 §2.2", ok("X-A: a\rb\r\n"), harmless("hello")),
		says("CR in Set-Cookie, and another one behind it", "RFC 9112 §2.2", ok("Set-Cookie: a=b\rSet-Cookie: evil=1\r\n"), both(harmless("hello"), withoutCookie("evil"))),
		says("two CR before the LF of Set-Cookie", "RFC 9112 §2.2", ok("Set-Cookie: a=b\r\r\nSet-Cookie: c=d\r\n"), harmless("hello")),
		says("LF and a length in a value", "RFC 9112 §2.2", ok("X-A: a\nTransfer-Encoding: chunked\r\n"), cut),
		says("LF, then an empty line, in a value", "RFC 9112 §2.2", ok("X-A: a\n\nHTTP/1.1 200 OK\r\n"), cut),
		says("a line ends in LF alone", "RFC 9112 §2.2", ok("X-A: a\n"), harmless("hello")),
		says("the head ends in LF alone", "RFC 9112 §2.2", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello", harmless("hello")),
		thenCloses("the head breaks off in a line", "RFC 9112 §8", "HTTP/1.1 200 OK\r\nContent-Len", refused),
		thenCloses("the head breaks off behind a line", "RFC 9112 §8", "HTTP/1.1 200 OK\r\nX-A: a\r\n", refused),
		thenResets("the head breaks off with a reset", "RFC 9112 §8", "HTTP/1.1 200 OK\r\nX-A: a\r\n", refused),
	)
}

// withoutCookie wants no cookie of that name to be set on its own.
func withoutCookie(name string) judge {
	return func(s *seen, _ string) string {
		for _, f := range s.answer.fields {
			if strings.EqualFold(f.name, "Set-Cookie") && strings.HasPrefix(f.value, name+"=") {
				return s.String() + ", with cookie " + f.value
			}
		}
		return ""
	}
}

func sizes() []Case {
	rails := "Link: </assets/a.css>; rel=preload; as=style\r\nContent-Security-Policy: default-src " + strings.Repeat("https://cdn.example.com ", 100) + "\r\n"
	return of("size of the head",
		says("9 KB of Link and policy", "RFC 9110 §5.4", ok(strings.Repeat(rails, 3)), passes(200, "hello")),
		says("200 KB of cookies", "RFC 9110 §5.4", ok(strings.Repeat("Set-Cookie: "+strings.Repeat("c", 4000)+"\r\n", LargeHead/4020)), passes(200, "hello")),
		says("400 fields", "RFC 9110 §5.4", ok(strings.Repeat("X-A: a\r\n", 400)), passes(200, "hello")),
		Case{Name: "in pieces of one byte", RFC: "RFC 9112 §2.1", script: []step{sayPieces(ok("X-A: a\r\n"), 1, time.Millisecond)}, judge: passes(200, "hello")},
		says("10,000 fields", "", ok(strings.Repeat("X-A: a\r\n", 10_000)), refused),
		says("a field of 8 MB", "", ok("X-A: "+strings.Repeat("a", 8<<20)+"\r\n"), refused),
		says("a reason of 8 MB", "", status("HTTP/1.1 200 "+strings.Repeat("a", 8<<20)), refused),
		says("a name of 8 MB", "", ok(strings.Repeat("a", 8<<20)+": a\r\n"), refused),
		Case{Name: "fields without an end", script: []step{say("HTTP/1.1 200 OK\r\n"), flood("X-A: "+strings.Repeat("a", 100)+"\r\n", 1<<30)}, judge: refused},
		Case{Name: "a line without an end", script: []step{say("HTTP/1.1 200 OK\r\nX-A: "), flood(strings.Repeat("a", 1000), 1<<30)}, judge: refused},
		Case{Name: "a status line without an end", script: []step{say("HTTP/1.1 200 "), flood(strings.Repeat("a", 1000), 1<<30)}, judge: refused},
	)
}

func hopByHop() []Case {
	return of("hop-by-hop",
		says("Connection names Content-Length", "RFC 9110 §7.6.1", ok("Connection: Content-Length\r\n"), passes(200, "hello")),
		says("Connection names Transfer-Encoding", "RFC 9110 §7.6.1", "HTTP/1.1 200 OK\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", passes(200, "hello")),
		says("Connection names a field", "RFC 9110 §7.6.1", ok("X-Hop: 1\r\nConnection: x-hop\r\n"), passes(200, "hello", without("X-Hop"))),
		says("Connection: close, and does not", "RFC 9112 §9.6", ok("Connection: close\r\n"), passes(200, "hello", soon)),
		thenCloses("Connection: close, and does", "RFC 9112 §9.6", ok("Connection: close\r\n"), passes(200, "hello")),
		says("Proxy-Connection", "RFC 9110 §7.6.1", ok("Proxy-Connection: keep-alive\r\n"), passes(200, "hello", without("Proxy-Connection"))),
		says("Keep-Alive", "RFC 9110 §7.6.1", ok("Keep-Alive: timeout=77\r\n"), passes(200, "hello", notTheirs("Keep-Alive", "timeout=77"))),
		says("Upgrade without 101", "RFC 9110 §7.8", ok("Upgrade: h2c\r\nConnection: upgrade\r\n"), passes(200, "hello", without("Upgrade"))),
		says("HTTP/1.0 with a length, and does not close", "RFC 9112 §9.3", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", passes(200, "hello", soon)),
		thenCloses("HTTP/1.0 without a length", "RFC 9112 §6.3", "HTTP/1.0 200 OK\r\n\r\nhello", passes(200, "hello")),
		says("HTTP/1.2", "RFC 9110 §2.5", "HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello", either(passes(200, "hello"), refused)),
	)
}

// notTheirs wants the field not as the target wrote it: the proxy may have its own.
func notTheirs(name, value string) judge {
	return func(s *seen, _ string) string {
		if s.answer.value(name) == value {
			return s.String() + ", with " + name
		}
		return ""
	}
}
