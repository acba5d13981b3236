package proxy

import (
	"bytes"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"upfront/proxy/http1"
)

// isGRPC reports whether the request is one of gRPC, by its Content-Type.
func (x *exchange) isGRPC() bool {
	req := &x.c.req
	for i := range req.Fields() {
		if f := &req.Fields()[i]; f.Kind == http1.ContentType {
			value := req.Value(f)
			return len(value) >= len(grpcType) && bytes.EqualFold(value[:len(grpcType)], grpcType) &&
				(len(value) == len(grpcType) || value[len(grpcType)] == '+' || value[len(grpcType)] == ';')
		}
	}
	return false
}

var (
	grpcType    = []byte("application/grpc")
	grpcTimeout = []byte("grpc-timeout")
)

// calls reports whether the exchange is a call of gRPC, whose two bodies are streams
// that may be silent for long. Only targets that speak HTTP/2 can be called: what
// another one gets has the limits of any request, whatever it says it is.
func (x *exchange) calls() bool { return x.conn.transport.dialer.Multiplexes() && x.isGRPC() }

// callTimeout is how long the client of a call says that it waits, 0 when it does not.
func (x *exchange) callTimeout() time.Duration {
	req := &x.c.req
	for i := range req.Fields() {
		if f := &req.Fields()[i]; f.Kind == http1.Other && bytes.EqualFold(req.Name(f), grpcTimeout) {
			return parseGRPCTimeout(string(req.Value(f)))
		}
	}
	return 0
}

// callSlack is how much longer than its client we wait for an answer, so that it is
// the client or the target that ends the call, in the words of gRPC.
const callSlack = 2 * time.Second

// parseGRPCTimeout reads at most 8 digits and a unit; 0 is what is none.
func parseGRPCTimeout(text string) time.Duration {
	if len(text) < 2 || len(text) > 9 {
		return 0
	}
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if err != nil {
		return 0
	}
	unit := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second,
		'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}[text[len(text)-1]]
	return time.Duration(n) * unit
}

// The codes of gRPC that answers of our own have.
const (
	grpcInternal      = 13
	grpcUnimplemented = 12
	grpcUnavailable   = 14
	grpcExhausted     = 8
	grpcDeadline      = 4
)

// grpcCode is the code of gRPC that says what an HTTP status says, as the mapping of
// gRPC has it; but what is too large, for which it has no words, is that.
func grpcCode(status int) int {
	switch status {
	case 400, 431:
		return grpcInternal
	case 404:
		return grpcUnimplemented
	case 408:
		return grpcDeadline
	case 413:
		return grpcExhausted
	case 429, 502, 503, 504:
		return grpcUnavailable
	}
	return 2 // unknown
}

// respondToCall answers a call with an error of our own as its client expects it:
// status 200, the code in a field, and no message (gRPC's "trailers only"). The log
// has the status that any other request would have got.
func (x *exchange) respondToCall(err *Error) {
	x.status = err.Status
	x.decideClose(err.Status)
	var head fasthttp.ResponseHeader
	head.SetNoDefaultContentType(true)
	head.SetStatusCode(fasthttp.StatusOK)
	head.SetContentLength(0)
	head.SetContentType(string(grpcType))
	head.Set("Grpc-Status", strconv.Itoa(grpcCode(err.Status)))
	head.Set("Grpc-Message", grpcMessage(err.Status))
	head.Set("X-Request-Id", string(x.id.bytes()))
	switch {
	case x.close:
		head.SetConnectionClose()
	case x.c.req.Minor == 0:
		head.Set("Connection", "keep-alive")
	}
	x.started = true
	if failed := x.toClient(head.AppendBytes(x.c.out[:0]), nil); failed != nil {
		x.close, x.linger = true, false
	}
}

// grpcMessage says nothing about what stands behind, as pages do not.
func grpcMessage(status int) string {
	return "proxy: " + strconv.Itoa(status) + " " + fasthttp.StatusMessage(status)
}
