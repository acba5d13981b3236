package proxy

import (
	"context"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"upfront/proxy/http1"
)

// AccessLog writes one JSON line a request. The keys are kamal-proxy's, so that
// dashboards survive a change of proxy. A request never waits for it, and costs it
// no allocation.
type AccessLog struct {
	sink   *logSink
	second atomic.Pointer[lineStart] // replaced by who finds it old
}

// NewAccessLog returns an access log that Run writes to w. Writes to w come from
// one goroutine, each of whole lines; what a failed write leaves is written again.
// log hears, once a minute at most, that lines were dropped or cannot be written;
// nil is silent.
func NewAccessLog(w io.Writer, log *zap.Logger) *AccessLog {
	if log == nil {
		log = zap.NewNop()
	}
	return &AccessLog{sink: newLogSink(w, log)}
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

// write renders the line of x where its answer's head stood, and hands it over.
func (l *AccessLog) write(x *exchange) {
	c := x.c
	c.out = l.appendLine(c.out[:0], x, time.Now())
	l.sink.add(c.out)
	c.shrinkOut()
}

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
	x.noteLogged()
}
