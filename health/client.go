package health

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/valyala/fasthttp"
)

// What a probe reads at most.
const (
	maxHead = 16 << 10 // bytes of an answer's head
	maxBody = 64 << 10 // bytes of an answer's body; the rest is not waited for
)

// clients are shared by all probers: ten thousand targets then need as many
// read buffers as probes run at the same time.
var clients = sync.Pool{New: func() any { return newClient() }}

// client is a fasthttp client of one connection after another, none of which
// it dials, reuses or tries again. One user at a time.
type client struct {
	http fasthttp.HostClient
	conn net.Conn // of the exchange under way, nil once http took it
	body []byte   // of the last answer
}

var errRedial = errors.New("BUG: a probe dialed twice")

func newClient() *client {
	c := &client{}
	c.http = fasthttp.HostClient{
		Addr: "target:80", // never resolved: Dial has the connection already
		Dial: func(string) (net.Conn, error) {
			conn := c.conn
			if c.conn = nil; conn == nil {
				return nil, errRedial
			}
			return conn, nil
		},
		MaxIdemponentCallAttempts: 1,
		RetryIfErr:                func(*fasthttp.Request, int, error) (bool, bool) { return false, false },
		ReadBufferSize:            maxHead,
		WriteBufferSize:           1 << 10,
		DisablePathNormalizing:    true,
		SecureErrorLogMessage:     true,
		// A body that is larger than the limit must not hide the status, so
		// the client's own limit, which is an error, is of no use.
		StreamResponseBody: true,
	}
	return c
}

// exchange sends request over conn and closes conn. It returns a code once the
// head of the answer is complete, and what there is of the body, up to maxBody;
// err is why either is incomplete. body is valid until the next exchange.
func (c *client) exchange(conn net.Conn, request *fasthttp.Request) (code int, body []byte, err error) {
	response := fasthttp.AcquireResponse()
	defer fasthttp.ReleaseResponse(response)
	c.conn = conn
	if err := c.http.Do(request, response); err != nil {
		c.conn = nil
		return 0, nil, err
	}
	defer response.CloseBodyStream() //nolint:errcheck // closes conn, which is all that is wanted
	code = response.StatusCode()
	stream := response.BodyStream()
	if stream == nil {
		return code, nil, nil
	}
	body, err = readUpTo(stream, c.body[:0], maxBody)
	c.body = body
	return code, body, err
}

// readUpTo appends to buf what r has, up to limit bytes.
func readUpTo(r io.Reader, buf []byte, limit int) ([]byte, error) {
	for len(buf) < limit {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, max(1<<10, len(buf)))
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), limit)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
	return buf, nil
}
