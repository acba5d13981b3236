package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"
)

// requesters make one request each, by mode.
var requesters = map[Mode]func(*worker, context.Context) result{
	KeepAlive:      (*worker).get,
	NewConnections: (*worker).getOnce,
	Post:           (*worker).post,
	Stream:         (*worker).stream,
	WebSocket:      (*worker).echo,
}

// generation makes nonces differ between the generators of one process.
var generation atomic.Int64

// worker makes one request after the other. It belongs to one goroutine.
type worker struct {
	g      *Generator
	mode   Mode
	pace   time.Duration
	offset time.Duration // before the first request, so that paces interleave
	id     string
	seq    int
	conn   *conn // nil when the next request has to connect
	socket *socket
	out    []byte
}

// result is what became of one request.
type result struct {
	sent      time.Time
	latency   time.Duration // zero when failed
	firstByte time.Duration // of the body; for streams
	version   string
	bytes     int
	port      int
	reused    bool
	err       error
}

func newWorker(g *Generator, group Workers, i int) *worker {
	return &worker{
		g:      g,
		mode:   group.Mode,
		pace:   group.Pace,
		offset: group.Pace * time.Duration(i) / time.Duration(group.Connections),
		id:     strconv.FormatInt(generation.Add(1), 36),
	}
}

func (w *worker) run(ctx context.Context) {
	request := requesters[w.mode]
	// Requests under way finish after ctx has ended.
	whole := context.WithoutCancel(ctx)
	defer w.finish()
	if !pause(ctx, w.offset) {
		return
	}
	for ctx.Err() == nil && w.g.take() {
		began := time.Now()
		w.g.counts.add(w.mode, request(w, whole))
		if !pause(ctx, w.pace-time.Since(began)) {
			return
		}
	}
}

// finish ends the connection and judges it a last time.
func (w *worker) finish() {
	if w.socket != nil {
		if err := w.socket.finish(w.g.options.Timeout); err != nil {
			w.g.counts.fail(w.mode, result{err: err, sent: time.Now(), port: w.socket.port(), version: w.socket.version, reused: true})
		}
		w.socket = nil
	}
	if w.conn != nil {
		if err := w.conn.idle(); err != nil && !errors.Is(err, io.EOF) {
			w.g.counts.fail(w.mode, result{err: err, sent: time.Now(), port: w.conn.port(), reused: true})
		}
		w.drop()
	}
}

// connect returns the kept connection when it is still open, else a new one.
func (w *worker) connect(ctx context.Context) (*conn, error) {
	if w.conn != nil {
		err := w.conn.idle()
		if err == nil {
			return w.conn, nil
		}
		w.drop()
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
		w.g.counts.reconnected(w.mode)
	}
	c, err := dial(ctx, w.g.options)
	if err != nil {
		return nil, err
	}
	w.g.counts.connected(w.mode)
	w.conn = c
	return c, nil
}

func (w *worker) drop() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

// nextNonce is unique in this process.
func (w *worker) nextNonce() string {
	w.seq++
	return w.id + "-" + strconv.Itoa(w.seq)
}

// exchange sends out and reads the answer. It keeps the connection when it may
// be used again and drops it otherwise.
func (w *worker) exchange(ctx context.Context, out []byte, r *result) (body []byte) {
	r.sent = time.Now()
	c, err := w.connect(ctx)
	if err != nil {
		r.err = err
		return nil
	}
	r.port, r.reused = c.port(), c.reused
	c.setTimeout(w.g.options.Timeout)
	body, closing, err := c.exchange(out, r)
	if err == nil && closing {
		err = c.expectEnd()
	} else if err == nil {
		err = c.expectQuiet()
	}
	c.reused = true
	if err != nil || closing {
		w.drop()
	}
	if err == nil && closing && w.mode != NewConnections {
		w.g.counts.reconnected(w.mode)
	}
	r.err = err
	return body
}

func (c *conn) exchange(out []byte, r *result) (body []byte, closing bool, err error) {
	if _, err := c.Write(out); err != nil {
		return nil, false, fmt.Errorf("write request: %w", err)
	}
	head, err := readHead(c.r)
	if err != nil {
		return nil, false, err
	}
	body, err = readBody(c.r, head, func() {
		if r.firstByte == 0 {
			r.firstByte = time.Since(r.sent)
		}
	})
	r.latency, r.bytes = time.Since(r.sent), len(body)
	r.version = head.fields[versionField]
	if err == nil && head.status != 200 {
		err = fmt.Errorf("answer has status %d: %.200q", head.status, body)
	}
	return body, head.closing, err
}

// pause waits d and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
