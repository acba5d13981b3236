package health

import (
	"bufio"
	"bytes"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"
)

// quickSize is the largest answer, head and body, that is judged the quick way.
const quickSize = 4 << 10

var quickBuffers = sync.Pool{New: func() any { return new([quickSize]byte) }}

// closeLine is the last line of a request whose connection ends behind the answer.
const closeLine = "Connection: close\r\n"

// written is the request of one path as bytes, which are the same at every probe, on a
// connection that lasts. Nil when the client refuses it: then each probe says so.
func (p *httpProber) written(path string) []byte {
	request := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(request)
	p.fill(request, path)
	request.URI().DisablePathNormalizing = true // the client sets it again as well
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	if request.Write(w) != nil || w.Flush() != nil {
		return nil
	}
	head, ok := bytes.CutSuffix(b.Bytes(), []byte(closeLine+"\r\n"))
	if !ok {
		return nil
	}
	return append(slices.Clip(head), "\r\n"...)
}

// withClose is request with the line that ends the connection.
func withClose(request []byte) []byte {
	return slices.Concat(request[:len(request)-len("\r\n")], []byte(closeLine+"\r\n"))
}

// askQuickly sends request, and reads into buf the answer that nearly every target
// gives: small, and with a length. ok is false for every other one: what was read, and
// the error that ended it, are then left in conn for the client to read again, which
// judges whatever is odd. The answer's body is a part of buf.
func askQuickly(conn *probeConn, request, buf []byte) (a plainAnswer, ok bool) {
	_, _ = conn.Write(request) // it never fails
	conn.asked = true
	n := 0
	for n < len(buf) {
		got, err := conn.Read(buf[n:])
		n += got
		a, found := readPlain(buf[:n])
		if found == plain {
			return a, true
		}
		if found == odd || err != nil {
			break
		}
	}
	conn.again = buf[:n]
	return plainAnswer{}, false
}

// plainAnswer is a whole one.
type plainAnswer struct {
	code  int
	body  []byte
	lasts bool // the connection can serve another exchange
}

// finding is what readPlain says of the bytes that it has.
type finding int

const (
	unfinished finding = iota // a plain answer as far as it goes
	plain                     // a whole answer
	odd                       // for the client to judge
)

var crlf = []byte("\r\n") // immutable

// readPlain reads an answer of HTTP/1.1 that has a Content-Length, and is written as
// RFC 9112 says to the letter. What follows the answer is not looked at: the connection
// does not outlast it.
func readPlain(b []byte) (plainAnswer, finding) {
	head, rest, ended := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ended {
		return plainAnswer{}, unfinished
	}
	line, fields, _ := bytes.Cut(head, crlf)
	code, ok := statusOf(line)
	if !ok {
		return plainAnswer{}, odd
	}
	length, lasts := -1, true
	for len(fields) > 0 {
		line, fields, _ = bytes.Cut(fields, crlf)
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok || !isToken(name) || !isText(value) {
			return plainAnswer{}, odd
		}
		switch {
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return plainAnswer{}, odd
		case bytes.EqualFold(name, []byte("Connection")):
			lasts = lasts && bytes.EqualFold(bytes.Trim(value, " \t"), []byte("keep-alive"))
		case bytes.EqualFold(name, []byte("Content-Length")):
			n, err := strconv.ParseUint(string(bytes.Trim(value, " \t")), 10, 31)
			if err != nil || length >= 0 {
				return plainAnswer{}, odd
			}
			length = int(n)
		}
	}
	switch {
	case length < 0:
		return plainAnswer{}, odd
	case len(rest) < length:
		return plainAnswer{}, unfinished
	}
	return plainAnswer{code, rest[:length], lasts && len(rest) == length}, plain
}

// statusOf is the status of a final answer that may have a body.
func statusOf(line []byte) (code int, ok bool) {
	number, ok := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !ok || len(number) < 4 || number[3] != ' ' || !isText(number) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(number[:3]), 10, 16)
	code = int(n)
	return code, err == nil && code >= 200 && code < 600 && code != 204 && code != 304
}

func isToken(s []byte) bool {
	for i := range s {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return len(s) > 0
}

func isText(s []byte) bool {
	for i := range s {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
