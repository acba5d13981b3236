package proxy

import (
	"errors"
	"net/http"
	"net/textproto"
	"strconv"

	"upfront/proxy/http1"
)

// streamAnswer turns the HTTP/1.1 answer that an exchange writes into one of HTTP/2
// or 3. It runs in the goroutine that writes, and keeps nothing back: what is not the
// end of the answer is flushed.
type streamAnswer struct {
	w      http.ResponseWriter
	toHead bool

	head   []byte // what came of a head that is not complete
	res    http1.Response
	begun  bool // the final head went out
	kind   http1.Body
	left   int64 // of a body of known length
	chunks unchunk
	done   bool // the answer is complete
}

func (a *streamAnswer) reset(w http.ResponseWriter, r *http.Request) {
	head, line := a.head[:0], a.chunks.line[:0]
	a.res.Reset()
	*a = streamAnswer{w: w, toHead: r.Method == http.MethodHead, head: head, res: a.res}
	a.chunks = unchunk{line: line, trailer: a.setTrailer}
}

// streamHolds is how much of a body may be written without a wait, in bytes, when that
// is all of it: net/http and quic-go send so much when their handler returns.
const streamHolds = 4 << 10

var (
	errAnswered = errors.New("the answer is complete")
	errNoLength = errors.New("BUG: an answer whose end only the end of the connection tells")
)

// write takes the next bytes of the answer. invite is called for a 100.
func (a *streamAnswer) write(p []byte, invite func()) error {
	if a.done {
		return errAnswered
	}
	for !a.begun {
		rest, err := a.takeHead(p, invite)
		if err != nil || rest == nil {
			return err
		}
		p = rest
	}
	err := a.writeBody(p)
	if err != nil || a.done {
		return err
	}
	if to, ok := a.w.(interface{ FlushError() error }); ok {
		return to.FlushError()
	}
	return http.ErrNotSupported
}

// takeHead takes one head, interim or final, and returns what follows it; nil when
// nothing does.
func (a *streamAnswer) takeHead(p []byte, invite func()) ([]byte, error) {
	if len(a.head) > 0 {
		a.head = append(a.head, p...)
		p = a.head
	}
	complete, bad := a.res.Scan(p, streamLimits)
	if bad != nil {
		return nil, bad
	}
	if !complete {
		if len(a.head) == 0 {
			a.head = append(a.head, p...)
		}
		return nil, nil
	}
	rest := p[a.res.Len():]
	a.head = a.head[:0]
	switch {
	case a.res.Status == 100:
		invite()
	case a.res.Interim():
		a.setFields()
		a.w.WriteHeader(a.res.Status)
		clear(a.w.Header())
	default:
		a.begin()
		return rest, nil
	}
	a.res.Reset()
	if len(rest) == 0 {
		return nil, nil
	}
	return rest, nil
}

// streamLimits is what a head of ours may have: what a target's may, and our lines.
var streamLimits = http1.Limits{Bytes: maxResponseHead + 4<<10, Fields: maxResponseFields + 16}

// begin sends the final head, or has it wait for the first bytes of the body.
func (a *streamAnswer) begin() {
	a.begun = true
	a.setFields()
	header := a.w.Header()
	if n := a.res.ContentLength(); n >= 0 {
		header["Content-Length"] = []string{strconv.FormatInt(n, 10)}
	}
	if _, ok := header["Content-Type"]; !ok {
		header["Content-Type"] = nil // not guessed
	}
	a.w.WriteHeader(a.res.Status)
	a.kind, a.left = a.res.Body(a.toHead), a.res.ContentLength()
	a.done = a.kind == http1.NoBody
	// Trailers go through the same map, and must not find what stands in the head.
	clear(header)
}

// setFields fills the header with the lines of a head. All its strings are parts of
// one.
func (a *streamAnswer) setFields() {
	fields := a.res.Fields()
	header := a.w.Header()
	values := make([]string, 0, len(fields))
	for i := range fields {
		f := &fields[i]
		switch f.Kind {
		case http1.Connection, http1.TransferEncoding, http1.ContentLength, http1.HopByHop, http1.Upgrade:
			continue
		}
		name := textproto.CanonicalMIMEHeaderKey(string(a.res.Name(f)))
		value := string(a.res.Value(f))
		if list, ok := header[name]; ok {
			header[name] = append(list, value)
			continue
		}
		values = append(values, value)
		header[name] = values[len(values)-1 : len(values) : len(values)]
	}
}

func (a *streamAnswer) setTrailer(name, value string) {
	header := a.w.Header()
	name = http.TrailerPrefix + textproto.CanonicalMIMEHeaderKey(name)
	header[name] = append(header[name], value)
}

func (a *streamAnswer) writeBody(p []byte) error {
	switch a.kind {
	case http1.NoBody:
		return nil
	case http1.Fixed:
		n := min(a.left, int64(len(p)))
		if n > 0 {
			if _, err := a.w.Write(p[:n]); err != nil {
				return err
			}
		}
		a.left -= n
		a.done = a.left == 0
		return nil
	case http1.Chunked:
		return a.writeChunks(p)
	}
	return errNoLength
}

func (a *streamAnswer) writeChunks(p []byte) error {
	for len(p) > 0 && !a.chunks.done {
		data, rest, err := a.chunks.next(p)
		if err != nil {
			return err
		}
		if len(data) > 0 {
			if _, err := a.w.Write(data); err != nil {
				return err
			}
		}
		p = rest
	}
	a.done = a.chunks.done
	return nil
}
