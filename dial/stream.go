package dial

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// stream is one exchange with an HTTP/2 target: it reads a request in HTTP/1.1 from
// its pipe, and writes the answer there in HTTP/1.1. Who uses the pipe writes strict
// messages; what comes back is judged there as the answer of any other target.
type stream struct {
	pipe   *pipe
	over   *shared
	scheme string
	host   string          // of a request that has none
	then   func()          // run at the end; may be nil
	ctx    context.Context //nolint:containedctx // ends with the pipe; set once

	wrote   atomic.Bool // the head went out
	interim atomic.Int32
	body    *requestBody // nil when the request has none
}

// begin starts a stream on s, which has one reserved, and returns the connection that
// its exchange uses. Closing that ends it.
func (m *multiplexer) begin(s *shared, then func()) *pipe {
	ctx, cancel := context.WithCancel(context.Background())
	x := &stream{pipe: newPipe(s.conn, cancel), over: s, scheme: "http", host: m.dialer.Host(), then: then}
	if m.dialer.credentials != nil {
		x.scheme = "https"
	}
	x.ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders:   func() { x.wrote.Store(true) },
		Got1xxResponse: x.passInterim,
	})
	go x.run(cancel)
	return x.pipe
}

// run ends soon after the pipe is closed.
func (x *stream) run(cancel func()) {
	defer cancel()
	if x.then != nil {
		defer x.then()
	}
	// A panic of net/http's must not cost more than this exchange.
	defer func() {
		if p := recover(); p != nil {
			x.pipe.down.finish(errBroken)
			x.pipe.up.abandon(errBroken)
		}
	}()
	req, err := x.readRequest()
	if err != nil {
		x.over.Release()
		x.pipe.down.finish(err)
		return
	}
	res, err := x.over.RoundTrip(req)
	if err != nil {
		x.pipe.down.finish(x.failure(err))
		x.pipe.up.abandon(errReset)
		return
	}
	err = x.passAnswer(req, res)
	x.pipe.down.finish(err)
	// The answer may be there before the request is: the target gets the rest of it
	// until who sends it gives up.
	if x.body != nil && errors.Is(err, io.EOF) {
		select {
		case <-x.body.done:
		case <-x.ctx.Done():
		}
	}
	_ = res.Body.Close()
}

// readRequest reads the head of the request.
func (x *stream) readRequest() (*http.Request, error) {
	from := bufio.NewReaderSize(laneReader{&x.pipe.up}, 4<<10)
	lines := textproto.NewReader(from)
	line, err := lines.ReadLine()
	if err != nil {
		return nil, err
	}
	method, rest, _ := strings.Cut(line, " ")
	target, _, ok := strings.Cut(rest, " ")
	header, err := lines.ReadMIMEHeader()
	if err != nil || !ok {
		return nil, &Error{text: "request cannot be written in HTTP/2", err: err}
	}
	req := (&http.Request{Method: method, Header: http.Header(header), Body: http.NoBody}).WithContext(x.ctx)
	if req.Host = header.Get("Host"); req.Host == "" {
		req.Host = x.host
	}
	// The target goes out as it is, byte for byte.
	req.URL = &url.URL{Scheme: x.scheme, Host: req.Host, Opaque: "//" + req.Host + target}
	if target == "*" {
		req.URL.Opaque = target
	}
	if header["User-Agent"] == nil {
		header["User-Agent"] = []string{""} // else one is made up
	}
	chunked := header.Get("Transfer-Encoding") != ""
	length, _ := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	for _, name := range []string{"Host", "Connection", "Transfer-Encoding", "Content-Length", "Upgrade"} {
		delete(header, name)
	}
	switch {
	case chunked:
		x.body = newChunkedBody(&x.pipe.up, from, req)
		req.ContentLength = -1
	case length > 0:
		x.body = newFixedBody(&x.pipe.up, from, length)
		req.ContentLength = length
	default:
		return req, nil
	}
	req.Body = x.body
	return req, nil
}

// laneReader reads a lane.
type laneReader struct{ *lane }

func (l laneReader) Read(b []byte) (int, error) { return l.read(b) }

// requestBody is the body of a request as it comes. Whoever closes it wants no more.
type requestBody struct {
	io.Reader
	lane *lane
	once sync.Once
	done chan struct{} // closed once nothing more is wanted
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

// Close tells who sends the body that nobody wants the rest.
func (b *requestBody) Close() error {
	select {
	case <-b.done: // it is complete: what the lane has is not ours
	default:
		b.lane.abandon(errReset)
	}
	b.end()
	return nil
}

func (b *requestBody) end() { b.once.Do(func() { close(b.done) }) }
