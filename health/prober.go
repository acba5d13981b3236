package health

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/valyala/fasthttp"
)

// prober runs one probe. Probe returns soon after ctx ends, and leaves nothing
// running behind.
type prober interface {
	Probe(ctx context.Context) Result
}

// httpProber probes over HTTP/1.1. Safe for concurrent use.
type httpProber struct {
	o        Options  // with defaults; immutable
	address  string   // immutable
	host     string   // immutable
	requests [][]byte // of each path, nil for one that cannot be written; immutable
}

func newHTTPProber(o Options) *httpProber {
	p := &httpProber{o: o, address: o.probeAddress(), host: o.Host}
	if p.host == "" {
		p.host = p.address
	}
	if o.GRPC == nil {
		for _, path := range o.Paths {
			p.requests = append(p.requests, p.written(path))
		}
	}
	return p
}

// Probe asks every path, one after the other, up to the first bad one.
func (p *httpProber) Probe(ctx context.Context) Result {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	var r Result
	for i, path := range p.o.Paths {
		if r = p.probePath(ctx, path, p.requests[i]); !r.OK {
			break
		}
	}
	r.At, r.Duration = start, time.Since(start)
	return r
}

func (p *httpProber) probePath(ctx context.Context, path string, asked []byte) Result {
	r := Result{Path: path}
	raw, err := p.o.Dial(ctx, "tcp", p.address)
	if err != nil {
		r.Err = dialCause(ctx, err)
		return r
	}
	conn := &probeConn{Conn: raw}
	// The client knows nothing of contexts: closing the connection is what
	// ends it. The wait keeps the closing goroutine from outliving the probe.
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		conn.Close()
	})
	defer func() {
		conn.Close()
		if !stop() {
			<-closed
		}
	}()

	buf := quickBuffers.Get().(*[quickSize]byte)
	defer quickBuffers.Put(buf)
	if asked != nil {
		if code, body, ok := askQuickly(conn, asked, buf[:]); ok {
			p.take(ctx, &r, conn, code, body, nil)
			return r
		}
	}
	c := clients.Get().(*client)
	defer clients.Put(c)
	request := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(request)
	p.fill(request, path)
	code, body, err := c.exchange(conn, request)
	p.take(ctx, &r, conn, code, body, err)
	return r
}

// take puts what an answer says into r.
func (p *httpProber) take(ctx context.Context, r *Result, conn *probeConn, code int, body []byte, err error) {
	r.Code = code
	r.Checks = parseChecks(body)
	r.Err = p.judge(ctx, conn, code, body, err)
	r.OK = r.Err == nil
}

// fill writes the request of one path. Connection: close makes the client
// forget the connection, and start no goroutine that looks after it.
func (p *httpProber) fill(request *fasthttp.Request, path string) {
	// The client sends the path of the URI, and fails on a URI that it cannot
	// parse; a host of our own keeps the Host header out of that.
	uri := request.URI()
	uri.DisablePathNormalizing = true
	_ = uri.Parse([]byte("target"), []byte(path))
	request.UseHostHeader = true
	request.Header.SetUserAgent(p.o.UserAgent)
	request.Header.SetHost(p.host)
	for name, value := range p.o.Headers {
		request.Header.Set(name, value)
	}
	// How the message is framed is not for a setting to say.
	for _, name := range []string{"Connection", "Content-Length", "Transfer-Encoding"} {
		request.Header.Del(name)
	}
	if p.o.Host != "" {
		request.Header.SetHost(p.o.Host)
	}
	request.Header.SetMethod(fasthttp.MethodGet)
	request.SetConnectionClose()
}

// judge says why an answer is not good, nil when it is. A status outside the
// range counts for more than a body that broke off after it.
func (p *httpProber) judge(ctx context.Context, conn *probeConn, code int, body []byte, err error) error {
	switch {
	case code != 0 && (code < p.o.StatusMin || code > p.o.StatusMax):
		return &statusError{code, p.o.StatusMin, p.o.StatusMax}
	case err != nil && ctx.Err() == nil && !conn.wrote:
		return fmt.Errorf("write request: %w", err)
	case err != nil:
		return exchangeCause(ctx, p.o.Timeout, conn.got > 0, conn.err, err)
	case p.o.Body != "" && !bytes.Contains(body, []byte(p.o.Body)):
		return &cause{text: fmt.Sprintf("body lacks %q", p.o.Body)}
	}
	return nil
}
