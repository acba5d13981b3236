package proxy

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"upfront/proxy/http1"
)

// appendStream writes a request of HTTP/2 or 3 as the head of an HTTP/1.1 message,
// which is then judged as one that came so: nothing is repaired on the way. What the
// scanner could not see any more is judged here (RFC 9113 §8.2.2, §8.3.1).
func appendStream(b []byte, r *http.Request, framing streamFraming) ([]byte, *http1.Error) {
	path := r.RequestURI
	if r.Method != http.MethodConnect && !strings.HasPrefix(path, "/") && path != "*" || !oneLine(path) || !oneLine(r.Method) {
		return b, http1.ErrTarget
	}
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\n"...)
	b = appendField(b, "Host", r.Host)
	for name, values := range r.Header {
		switch name {
		case "Host":
			for _, value := range values {
				if !strings.EqualFold(value, r.Host) {
					b = appendField(b, name, value) // a second one is refused
				}
			}
			continue
		case "Content-Length":
			if len(values) != 1 || values[0] != strconv.FormatInt(r.ContentLength, 10) {
				return b, http1.ErrContentLength
			}
			continue
		case "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade":
			return b, http1.ErrFieldName
		}
		for _, value := range values {
			if !oneLine(name) || !oneLine(value) {
				return b, http1.ErrFieldValue
			}
			b = appendField(b, name, value)
		}
	}
	return appendFraming(b, r, framing), nil
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// oneLine reports whether s cannot end a line or a message. net/http has looked
// already; that no line of ours can be two does not depend on it.
func oneLine(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '\r' || c == '\n' || c == 0 {
			return false
		}
	}
	return true
}

// streamFraming is how the body of a stream is framed for the exchange.
type streamFraming uint8

const (
	noBody streamFraming = iota
	byLength
	inChunks
)

func framingOf(r *http.Request) streamFraming {
	switch {
	case r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0:
		return noBody
	case r.ContentLength < 0 || len(r.Trailer) > 0: // trailers need chunks
		return inChunks
	}
	return byLength
}

// appendFraming writes the lines that frame the body, and ends the head.
func appendFraming(b []byte, r *http.Request, framing streamFraming) []byte {
	switch framing {
	case byLength:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, r.ContentLength, 10)
		b = append(b, "\r\n"...)
	case inChunks:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		for name := range r.Trailer {
			b = appendField(b, "Trailer", name)
		}
	case noBody: // RFC 9110 §8.6: said where a body could have been expected
		if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
			b = append(b, "Content-Length: 0\r\n"...)
		}
	}
	if framing != noBody && awaitsContinue(r) {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	return append(b, "\r\n"...)
}

// awaitsContinue reports whether the client waits for a 100. net/http takes the
// field out of the request and sends the 100 with the first read of the body, and
// says so to nobody but this flag of its body. Where the flag is not found the
// client gets its 100 from us, and the target is not asked.
func awaitsContinue(r *http.Request) bool {
	body := reflect.ValueOf(r.Body)
	if body.Kind() != reflect.Pointer || body.Elem().Kind() != reflect.Struct {
		return false
	}
	flag := body.Elem().FieldByName("needsContinue")
	return flag.Kind() == reflect.Bool && flag.Bool()
}
