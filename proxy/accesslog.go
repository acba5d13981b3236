package proxy

import (
	"context"
	"io"
	"net"
	"slices"
	"time"
	"unsafe"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"upfront/proxy/http1"
)

// AccessLog writes one JSON line a request, on a zap core of its own that samples
// nothing. The keys are kamal-proxy's, so that dashboards survive a change of
// proxy. A request never waits for it.
type AccessLog struct {
	core zapcore.Core
	sink *logSink
}

// NewAccessLog returns an access log that Run writes to w. Writes to w come from
// one goroutine, each of whole lines.
func NewAccessLog(w io.Writer) *AccessLog {
	sink := newLogSink(w)
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey:        "time",
		LevelKey:       "level",
		MessageKey:     "msg",
		EncodeTime:     zapcore.RFC3339NanoTimeEncoder,
		EncodeLevel:    zapcore.CapitalLevelEncoder,
		EncodeDuration: zapcore.NanosDurationEncoder,
	})
	return &AccessLog{core: zapcore.NewCore(encoder, zapcore.AddSync(sink), zapcore.InfoLevel), sink: sink}
}

// Run writes the lines until ctx ends, then what is left within a second. Lines of
// requests that end later are dropped and counted.
func (l *AccessLog) Run(ctx context.Context) error {
	l.sink.run(ctx)
	return nil
}

// Dropped is how many lines were dropped because w did not take them.
func (l *AccessLog) Dropped() uint64 { return l.sink.dropped.Load() }

// record counts the exchange and writes its line.
func (x *exchange) record() {
	if !x.uncounted() {
		x.c.server.counters.Requests[class(x.status)].Add(1)
	}
	if log := x.c.server.accessLog; log != nil {
		log.write(x)
	}
}

// uncounted reports whether the service does not want the request in its metrics:
// probes of somebody else, mostly.
func (x *exchange) uncounted() bool {
	if x.svc == nil || len(x.svc.UncountedPaths) == 0 {
		return false
	}
	return slices.Contains(x.svc.UncountedPaths, text(x.targetPath()))
}

func class(status int) int {
	if status < 100 || status > 599 {
		return 0
	}
	return status / 100
}

// write renders the line of x while the request's bytes are still there.
func (l *AccessLog) write(x *exchange) {
	c, req := x.c, &x.c.req
	now := time.Now()
	host, path, query := text(req.Host), text(req.Path), ""
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if len(req.Path) > 0 && len(req.Target) > len(req.Path) {
		query = text(req.Target[len(req.Path)+1:])
	}
	seen := x.headersOfNote()
	service, target := "", ""
	if x.svc != nil {
		service = x.svc.Name
	}
	if x.last != nil {
		target = x.last.Address()
	}
	client := c.name()
	fields := [...]zapcore.Field{
		zap.String("host", host),
		zap.String("port", c.port),
		zap.String("path", path),
		zap.String("request_id", text(x.id.bytes())),
		zap.Int("status", x.status),
		zap.String("service", service),
		zap.String("target", target),
		zap.Duration("duration", now.Sub(x.start)),
		zap.String("method", text(req.Method)),
		zap.Int64("req_content_length", max(req.ContentLength(), 0)),
		zap.String("req_content_type", seen.requestType),
		zap.Int64("resp_content_length", x.sent),
		zap.String("resp_content_type", seen.responseType),
		zap.String("client_addr", client.addr),
		zap.String("client_port", client.port),
		zap.String("remote_addr", x.remoteAddr()),
		zap.String("user_agent", seen.userAgent),
		zap.String("proto", protos[req.Minor]),
		zap.String("scheme", "http"),
		zap.String("query", query),
		zap.Skip(),
	}
	if x.err != nil {
		fields[len(fields)-1] = zap.String("error", x.err.Error())
	}
	_ = l.core.Write(zapcore.Entry{Level: zapcore.InfoLevel, Time: now, Message: "Request"}, fields[:]) // the sink never fails
}

var protos = [...]string{"HTTP/1.0", "HTTP/1.1"}

type notes struct{ requestType, responseType, userAgent string }

// headersOfNote finds the fields that the line shows.
func (x *exchange) headersOfNote() (n notes) {
	req := &x.c.req
	for i := range req.Fields() {
		switch f := &req.Fields()[i]; f.Kind {
		case http1.ContentType:
			n.requestType = text(req.Value(f))
		case http1.UserAgent:
			n.userAgent = text(req.Value(f))
		}
	}
	n.responseType = text(x.contentType[:x.contentTypeLen])
	return n
}

// noteResponse keeps what the line shows of the response's head, whose bytes make
// room for the body.
func (x *exchange) noteResponse() {
	if x.c.server.accessLog == nil {
		return
	}
	res := &x.c.res
	for i := range res.Fields() {
		if f := &res.Fields()[i]; f.Kind == http1.ContentType {
			x.contentTypeLen = copy(x.contentType[:], res.Value(f))
		}
	}
}

// text is b as a string without a copy; it must not outlive b.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
