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
	// With keep it returns the connection of the last good answer, where it can be kept.
	Probe(ctx context.Context, keep bool) (Result, *kept)
}

// httpProber probes over HTTP/1.1. Safe for concurrent use.
type httpProber struct {
	o        Options  // with defaults; immutable
	address  string   // immutable
	host     string   // immutable
	requests [][]byte // of each path, on a connection that lasts; nil for one that cannot be written; immutable
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
func (p *httpProber) Probe(ctx context.Context, keep bool) (Result, *kept) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	var r Result
	var k *kept
	for i := range p.o.Paths {
		if r, k = p.probePath(ctx, i, keep && i == len(p.o.Paths)-1); !r.OK {
			break
		}
	}
	r.At, r.Duration = start, time.Since(start)
	return r, k
}

// probePath asks the path with number i.
func (p *httpProber) probePath(ctx context.Context, i int, keep bool) (r Result, k *kept) {
	r.Path = p.o.Paths[i]
	raw, err := p.o.Dial(ctx, "tcp", p.address)
	if err != nil {
		r.Err = dialCause(ctx, err)
		return r, nil
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
	if request := p.requests[i]; request != nil {
		if !keep {
			request = withClose(request)
		}
		if a, ok := askQuickly(conn, request, buf[:]); ok {
			r.take(a.code, a.body, p.judge(a.code, a.body))
			if keep && r.OK && a.lasts {
				k = newKept(raw, p)
			}
			return r, k
		}
	}
	c := clients.Get().(*client)
	defer clients.Put(c)
	request := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(request)
	p.fill(request, r.Path)
	code, body, err := c.exchange(conn, request)
	if err == nil {
		err = p.judge(code, body)
	} else {
		err = p.explain(ctx, conn, code, err)
	}
	r.take(code, body, err)
	return r, nil
}

// take puts what an answer says into r; err is why it is not good.
func (r *Result) take(code int, body []byte, err error) {
	r.Code, r.Checks = code, parseChecks(body)
	r.Err, r.OK = err, err == nil
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

// judge says why a whole answer is not good, nil when it is.
func (p *httpProber) judge(code int, body []byte) error {
	switch {
	case !p.expects(code):
		return &statusError{code, p.o.StatusMin, p.o.StatusMax}
	case p.o.Body != "" && !bytes.Contains(body, []byte(p.o.Body)):
		return &cause{text: fmt.Sprintf("body lacks %q", p.o.Body)}
	}
	return nil
}

func (p *httpProber) expects(code int) bool { return p.o.StatusMin <= code && code <= p.o.StatusMax }

// explain says why there is no whole answer. A status outside the range counts for more
// than a body that broke off after it.
func (p *httpProber) explain(ctx context.Context, conn *probeConn, code int, err error) error {
	switch {
	case code != 0 && !p.expects(code):
		return &statusError{code, p.o.StatusMin, p.o.StatusMax}
	case ctx.Err() == nil && !conn.wrote:
		return fmt.Errorf("write request: %w", err)
	}
	return exchangeCause(ctx, p.o.Timeout, conn.got > 0, conn.err, err)
}
