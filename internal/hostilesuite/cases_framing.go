package hostilesuite

import (
	"strings"
	"time"
)

// length is a 200 with that Content-Length and the body hello.
func length(value string) string {
	return "HTTP/1.1 200 OK\r\nContent-Length: " + value + "\r\n\r\nhello"
}

// coded is a 200 with these field lines and hello as a chunk.
func coded(fields string) string {
	return "HTTP/1.1 200 OK\r\n" + fields + "\r\n5\r\nhello\r\n0\r\n\r\n"
}

// chunked is a chunked 200 with that behind its head.
func chunked(body string) string {
	return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
}

func cutBodies() []Case {
	const long = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
	megabyte := "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 300_000)
	return of("cut body",
		thenCloses("short of its length", "RFC 9112 §8", long+"hello", cut),
		thenResets("short of its length, reset", "RFC 9112 §8", long+"hello", cut),
		thenCloses("nothing of its length", "RFC 9112 §8", long, cut),
		thenResets("nothing of its length, reset", "RFC 9112 §8", long, cut),
		thenCloses("300 KB of 1 MB", "RFC 9112 §8", megabyte, cut),
		thenResets("300 KB of 1 MB, reset", "RFC 9112 §8", megabyte, cut),
		thenCloses("a length of 9 EB", "RFC 9112 §8", length("9223372036854775807"), cut),
		thenCloses("inside a chunk", "RFC 9112 §8", chunked("a\r\nhello"), cut),
		thenResets("inside a chunk, reset", "RFC 9112 §8", chunked("a\r\nhello"), cut),
		thenCloses("behind the bytes of a chunk", "RFC 9112 §8", chunked("5\r\nhello"), cut),
		thenCloses("between two chunks", "RFC 9112 §8", chunked("5\r\nhello\r\n"), cut),
		thenResets("between two chunks, reset", "RFC 9112 §8", chunked("5\r\nhello\r\n"), cut),
		thenCloses("inside a chunk size", "RFC 9112 §8", chunked("5\r\nhello\r\n1"), cut),
		thenCloses("behind the last chunk's zero", "RFC 9112 §8", chunked("5\r\nhello\r\n0"), cut),
		thenCloses("before the last CRLF", "RFC 9112 §8", chunked("5\r\nhello\r\n0\r\n"), cut),
		thenCloses("inside the trailers", "RFC 9112 §8", chunked("5\r\nhello\r\n0\r\nX-T: a"), cut),
		thenCloses("behind a trailer", "RFC 9112 §8", chunked("5\r\nhello\r\n0\r\nX-T: a\r\n"), cut),
		thenCloses("chunked, and nothing", "RFC 9112 §8", chunked(""), cut),
		thenResets("until close, and a reset", "RFC 9112 §8", "HTTP/1.1 200 OK\r\n\r\nhello", cut),
		thenResets("HTTP/1.0 until close, and a reset", "RFC 9112 §8", "HTTP/1.0 200 OK\r\n\r\nhello", cut),
		Case{Name: "silent inside its length", script: []step{say(long + "hello"), hang()}, judge: cutInTime},
	)
}

func lengths() []Case {
	const twice = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: "
	return of("Content-Length",
		says("two that differ", "RFC 9112 §6.3", twice+"6\r\n\r\nhello!", refused),
		says("a list that differs", "RFC 9112 §6.3", length("5, 6")+"!", refused),
		says("two that are the same", "RFC 9112 §6.3", twice+"5\r\n\r\nhello", harmless("hello")),
		says("a list of the same", "RFC 9112 §6.3", length("5, 5"), harmless("hello")),
		says("a list with an empty element", "RFC 9112 §6.3", length("5,"), refused),
		says("negative", "RFC 9110 §8.6", length("-5"), refused),
		says("with a plus", "RFC 9110 §8.6", length("+5"), refused),
		says("hexadecimal", "RFC 9110 §8.6", length("0x5"), refused),
		says("text", "RFC 9110 §8.6", length("five"), refused),
		says("digits and text", "RFC 9110 §8.6", length("5x"), refused),
		says("a space inside", "RFC 9110 §8.6", length("5 0"), refused),
		says("a fraction", "RFC 9110 §8.6", length("5.0"), refused),
		says("empty", "RFC 9110 §8.6", length(""), refused),
		says("2^64", "RFC 9110 §8.6", length("18446744073709551616"), refused),
		says("2^64 + 5", "RFC 9110 §8.6", length("18446744073709551621"), refused),
		says("a thousand digits", "RFC 9110 §8.6", length(strings.Repeat("9", 1000)), refused),
		says("beside Transfer-Encoding", "RFC 9112 §6.3", coded("Content-Length: 15\r\nTransfer-Encoding: chunked\r\n"), harmless("hello")),
		says("behind Transfer-Encoding", "RFC 9112 §6.3", coded("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), harmless("hello")),
	)
}

func codings() []Case {
	const te = "Transfer-Encoding: "
	return of("Transfer-Encoding",
		thenCloses("gzip", "RFC 9112 §6.3", "HTTP/1.1 200 OK\r\n"+te+"gzip\r\n\r\nhello", harmless("hello")),
		says("gzip, chunked", "RFC 9112 §6.1", coded(te+"gzip, chunked\r\n"), harmless("hello")),
		says("chunked, gzip", "RFC 9112 §6.3", coded(te+"chunked, gzip\r\n"), cut),
		says("chunked, chunked", "RFC 9112 §6.1", coded(te+"chunked, chunked\r\n"), refused),
		says("chunked on two lines", "RFC 9112 §6.1", coded(te+"chunked\r\n"+te+"chunked\r\n"), refused),
		says("chunked, identity", "RFC 9112 §6.1", coded(te+"chunked, identity\r\n"), cut),
		says("xchunked", "RFC 9112 §6.1", coded(te+"xchunked\r\n"), cut),
		says("quoted chunked", "RFC 9112 §6.1", coded(te+"\"chunked\"\r\n"), cut),
		says("chunked behind a vertical tab", "RFC 9112 §6.1", coded(te+"\x0bchunked\r\n"), cut),
		says("empty", "RFC 9112 §6.1", coded(te+"\r\n"), cut),
		Case{
			Name: "in HTTP/1.0", RFC: "RFC 9112 §6.1", discard: true, judge: harmless("hello"),
			script: []step{say("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + te + "chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")},
		},
		says("CHUNKED", "RFC 9112 §7", coded(te+"CHUNKED\r\n"), passes(200, "hello")),
	)
}

func chunks() []Case {
	const rest = "\r\nhello\r\n0\r\n\r\n"
	return of("chunks",
		says("size +5", "RFC 9112 §7.1", chunked("+5"+rest), cut),
		says("size -1", "RFC 9112 §7.1", chunked("-1"+rest), cut),
		says("size 0x5", "RFC 9112 §7.1", chunked("0x5"+rest), cut),
		says("size with a space before it", "RFC 9112 §7.1", chunked(" 5"+rest), cut),
		says("size with a space inside", "RFC 9112 §7.1", chunked("0 5"+rest), cut),
		says("size g", "RFC 9112 §7.1", chunked("g"+rest), cut),
		says("empty size", "RFC 9112 §7.1", chunked(rest), cut),
		says("size of 17 digits", "RFC 9112 §7.1", chunked("10000000000000005"+rest), cut),
		says("size 2^64 - 1", "RFC 9112 §7.1", chunked("ffffffffffffffff"+rest), cut),
		says("size of 5,000 zeros", "", chunked(strings.Repeat("0", 5000)+"5"+rest), harmless("hello")),
		says("a second chunk that is none", "RFC 9112 §7.1", chunked("5\r\nhello\r\nx\r\nhello\r\n0\r\n\r\n"), cut),
		says("no CRLF behind the bytes", "RFC 9112 §7.1", chunked("5\r\nhello0\r\n\r\n"), cut),
		says("more bytes than the size", "RFC 9112 §7.1", chunked("5\r\nhello!\r\n0\r\n\r\n"), cut),
		says("LF alone behind the size", "RFC 9112 §7.1", chunked("5\nhello\r\n0\r\n\r\n"), cut),
		says("LF alone behind the bytes", "RFC 9112 §7.1", chunked("5\r\nhello\n0\r\n\r\n"), cut),
		says("CR alone behind the size", "RFC 9112 §7.1", chunked("5\rhello\r\n0\r\n\r\n"), cut),
		says("LF alone behind the last size", "RFC 9112 §7.1", chunked("5\r\nhello\r\n0\n\r\n"), cut),
		says("an extension", "RFC 9112 §7.1.1", chunked("5;a=b;c=\"d\""+rest), passes(200, "hello")),
		says("LF in an extension", "RFC 9112 §7.1.1", chunked("5;a\nb"+rest), cut),
		says("NUL in an extension", "RFC 9112 §7.1.1", chunked("5;a\x00b"+rest), harmless("hello")),
		says("text behind the size", "RFC 9112 §7.1.1", chunked("5 x"+rest), cut),
		Case{Name: "an extension without an end", RFC: "RFC 9112 §7.1.1", script: []step{say(chunked("5;a=")), flood(strings.Repeat("a", 1000), 1<<30)}, judge: cutInTime},
		Case{Name: "a size without an end", RFC: "RFC 9112 §7.1", script: []step{say(chunked("")), flood(strings.Repeat("0", 1000), 1<<30)}, judge: cutInTime},
	)
}

func trailers() []Case {
	const start = "5\r\nhello\r\n0\r\n"
	return of("trailers",
		says("one", "RFC 9112 §7.1.2", chunked(start+"X-T: a\r\n\r\n"), passes(200, "hello")),
		says("Content-Length", "RFC 9110 §6.5.1", chunked(start+"Content-Length: 6\r\n\r\n"), passes(200, "hello", without("Content-Length"))),
		says("Transfer-Encoding", "RFC 9110 §6.5.1", chunked(start+"Transfer-Encoding: chunked\r\n\r\n"), passes(200, "hello", noTrailer("Transfer-Encoding"))),
		says("Set-Cookie", "RFC 9110 §6.5.1", chunked(start+"Set-Cookie: evil=1\r\n\r\n"), passes(200, "hello", without("Set-Cookie"))),
		says("Connection", "RFC 9110 §6.5.1", chunked(start+"Connection: close\r\n\r\n"), passes(200, "hello", noTrailer("Connection"))),
		says("no colon", "RFC 9112 §7.1.2", chunked(start+"evil\r\n\r\n"), harmless("hello")),
		says("folded", "RFC 9112 §5.2", chunked(start+"X-T: a\r\n b\r\n\r\n"), harmless("hello")),
		says("NUL", "RFC 9110 §5.5", chunked(start+"X-T: a\x00b\r\n\r\n"), harmless("hello")),
		says("LF and a response", "RFC 9112 §7.1.2", chunked(start+"X-T: a\n\n"+poison), harmless("hello")),
		says("1 MB", "", chunked(start+strings.Repeat("X-T: "+strings.Repeat("a", 1000)+"\r\n", 1000)+"\r\n"), harmless("hello")),
		Case{Name: "without an end", script: []step{say(chunked(start)), flood("X-T: "+strings.Repeat("a", 100)+"\r\n", 1<<30)}, judge: cutInTime},
	)
}

func noTrailer(name string) judge {
	return func(s *seen, _ string) string {
		if has(s.answer.trailers, name) {
			return s.String() + ", with trailer " + name
		}
		return ""
	}
}

func bodiless() []Case {
	head := func(name, rfc, raw string, j judge, then ...step) Case {
		return Case{Name: name, RFC: rfc, method: "HEAD", script: append([]step{say(raw)}, then...), judge: j}
	}
	later := []step{pause(5 * time.Millisecond), say(poison)}
	return of("body where none may be",
		head("behind an answer to HEAD", "RFC 9112 §6.3", length("5"), passes(200, "")),
		head("behind an answer to HEAD, later", "RFC 9112 §6.3", "HTTP/1.1 200 OK\r\nContent-Length: 66\r\n\r\n", passes(200, ""), later...),
		head("behind an answer to HEAD without a length, later", "RFC 9112 §6.3", "HTTP/1.1 200 OK\r\n\r\n", passes(200, ""), later...),
		head("chunks behind an answer to HEAD", "RFC 9112 §6.3", coded("Transfer-Encoding: chunked\r\n"), passes(200, "")),
		says("behind a 204", "RFC 9112 §6.3", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", either(refused, passes(204, "", without("Content-Length")))),
		says("a response behind a 204", "RFC 9112 §6.3", "HTTP/1.1 204 No Content\r\n\r\n"+poison, either(refused, passes(204, ""))),
		says("chunks behind a 204", "RFC 9112 §6.1", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", either(refused, passes(204, "", without("Transfer-Encoding")))),
		says("behind a 304", "RFC 9112 §6.3", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", either(refused, passes(304, ""))),
		says("a response behind a 304", "RFC 9112 §6.3", "HTTP/1.1 304 Not Modified\r\nContent-Length: 66\r\n\r\n"+poison, either(refused, passes(304, ""))),
		says("behind a 103", "RFC 9110 §8.6", "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello"+whole("{token} "), either(refused, cut)),
		says("a length in a 103, and no body", "RFC 9110 §8.6", "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n"+whole("{token} "), either(refused, both(passes(200, "{token} "), interimWithout("Content-Length")))),
	)
}

// interimWithout wants no such field in what came before the final answer.
func interimWithout(name string) judge {
	return func(s *seen, _ string) string {
		for _, a := range s.interim {
			if a.has(name) {
				return s.String() + ", with " + name + " in it"
			}
		}
		return ""
	}
}
