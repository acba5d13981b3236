package health

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// GRPCPath is what the gRPC health protocol asks.
const GRPCPath = "/grpc.health.v1.Health/Check"

// grpcProber asks the gRPC health protocol, whose messages are so small that they are
// written and read here. Safe for concurrent use.
type grpcProber struct {
	*httpProber
	message []byte // a HealthCheckRequest with the frame of gRPC; immutable
}

// The parts of a message (protobuf's encoding, and the frame of gRPC around it).
const (
	grpcFrame    = 5    // a flag for compression, and the length in 4 bytes
	fieldService = 0x0a // field 1 of HealthCheckRequest, text
	fieldStatus  = 0x08 // field 1 of HealthCheckResponse, a number
	serving      = 1
)

// servingStatus are the names of HealthCheckResponse.ServingStatus.
var servingStatus = [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

func newGRPCProber(o Options) *grpcProber {
	p := &grpcProber{httpProber: newHTTPProber(o), message: make([]byte, grpcFrame)}
	if name := *o.GRPC; name != "" {
		p.message = binary.AppendUvarint(append(p.message, fieldService), uint64(len(name)))
		p.message = append(p.message, name...)
	}
	binary.BigEndian.PutUint32(p.message[1:], uint32(len(p.message)-grpcFrame))
	return p
}

// Probe asks once, on a connection that is never kept.
func (p *grpcProber) Probe(ctx context.Context, _ bool) (Result, *kept) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	r := Result{Method: http.MethodPost, Path: GRPCPath, At: start}
	r.Code, r.Err = p.ask(ctx)
	r.OK, r.Duration = r.Err == nil, time.Since(start)
	return r, nil
}

func (p *grpcProber) ask(ctx context.Context) (code int, err error) {
	raw, err := p.o.Dial(ctx, "tcp", p.address)
	if err != nil {
		return 0, dialCause(ctx, err)
	}
	conn := &probeConn{Conn: raw}
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
	request := p.request()
	_ = request.Write(conn) // it never fails: when there is no answer, the read says why
	response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxHead+maxBody)), request)
	if err != nil {
		return 0, exchangeCause(ctx, p.o.Timeout, conn.got > 0, conn.err, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return response.StatusCode, exchangeCause(ctx, p.o.Timeout, true, conn.err, err)
	}
	return response.StatusCode, judgeGRPC(response, body)
}

func (p *grpcProber) request() *http.Request {
	request := &http.Request{
		Method: http.MethodPost, URL: &url.URL{Path: GRPCPath}, Host: p.host, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(string(p.message))), ContentLength: int64(len(p.message)),
	}
	request.Header.Set("User-Agent", p.o.UserAgent)
	for name, value := range p.o.Headers {
		request.Header.Set(name, value)
	}
	for _, name := range []string{"Connection", "Content-Length", "Transfer-Encoding"} {
		request.Header.Del(name)
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Te", "trailers")
	return request
}

// judgeGRPC says why an answer is not good, nil when it is.
func judgeGRPC(response *http.Response, body []byte) error {
	if response.StatusCode != http.StatusOK {
		return &statusError{response.StatusCode, http.StatusOK, http.StatusOK}
	}
	fields := response.Trailer
	if response.Header.Get("Grpc-Status") != "" { // an answer without a message
		fields = response.Header
	}
	switch status := fields.Get("Grpc-Status"); status {
	case "0":
	case "":
		return &cause{text: "not a gRPC answer"}
	case "12":
		return &cause{text: "the target does not serve grpc.health.v1.Health"}
	default:
		text := "grpc-status " + printable(status, 8)
		if message, _ := url.PathUnescape(fields.Get("Grpc-Message")); message != "" {
			text += ": " + printable(message, maxCheckText)
		}
		return &cause{text: text}
	}
	if len(body) < grpcFrame || body[0] != 0 {
		return &cause{text: "not a gRPC answer"}
	}
	if got := servingOf(body[grpcFrame:]); got != serving {
		if got < uint64(len(servingStatus)) {
			return &cause{text: servingStatus[got]}
		}
		return &cause{text: fmt.Sprintf("status %s", strconv.FormatUint(got, 10))}
	}
	return nil
}

// servingOf is the status in a HealthCheckResponse. One that has none means UNKNOWN,
// as protobuf leaves a zero out.
func servingOf(message []byte) uint64 {
	if len(message) < 2 || message[0] != fieldStatus {
		return 0
	}
	status, _ := binary.Uvarint(message[1:])
	return status
}
