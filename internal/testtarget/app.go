package testtarget

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/valyala/fasthttp"

	"upfront/internal/load/payload"
)

const (
	defaultSize   = 300
	defaultPieces = 6
	defaultMillis = 1500
	maxSize       = 1 << 30
)

// handle answers one request according to the mode.
func (t *Target) handle(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(payload.VersionHeader, t.version)
	path := string(ctx.Path())
	if path == "/stats" {
		t.answerStats(ctx)
		return
	}
	state := t.mode.Load()
	if path != "/up" {
		t.counts.began(time.Now())
	}
	switch state.mode {
	case Hang:
		<-state.ended
	case Reset:
	default:
		t.route(ctx, path)
		return
	}
	reset(ctx.Conn())
	if path != "/up" {
		t.counts.ended()
	}
}

// route answers, and counts the request as ended once its handler is done; a
// streamed answer or a WebSocket counts itself later.
func (t *Target) route(ctx *fasthttp.RequestCtx, path string) {
	later := false
	switch path {
	case "/up":
		t.answerUp(ctx)
		return
	case payload.EchoPath:
		t.answerEcho(ctx)
	case payload.StreamPath:
		later = true
		t.answerStream(ctx)
	case payload.WebSocketPath:
		later = t.answerWebSocket(ctx)
	case payload.AnswerPath, "/":
		t.answerPayload(ctx)
	default:
		ctx.Error(fmt.Sprintf("no such path: want /up, /stats, %s, %s, %s or %s", payload.AnswerPath,
			payload.EchoPath, payload.StreamPath, payload.WebSocketPath), fasthttp.StatusNotFound)
	}
	if !later {
		t.counts.ended()
	}
}

func (t *Target) answerUp(ctx *fasthttp.RequestCtx) {
	now := time.Now()
	status, body, contentType := t.up.answer(now)
	t.counts.sawUp(status, now)
	ctx.SetStatusCode(status)
	ctx.SetContentType(contentType)
	ctx.SetBodyString(body)
}

func (t *Target) answerStats(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType("application/json")
	if err := json.NewEncoder(ctx).Encode(t.Stats()); err != nil {
		ctx.Error(err.Error(), fasthttp.StatusInternalServerError)
	}
}

func (t *Target) answerPayload(ctx *fasthttp.RequestCtx) {
	size := number(ctx, payload.KeySize, defaultSize, maxSize)
	ctx.SetContentType("text/plain")
	ctx.SetBody(payload.Answer(t.version, nonce(ctx), size))
}

// answerEcho reads the body as it arrives and answers its length and hash, or
// streams it back while it still arrives.
func (t *Target) answerEcho(ctx *fasthttp.RequestCtx) {
	body := ctx.RequestBodyStream()
	if body == nil {
		body = eof{}
	}
	if ctx.QueryArgs().GetBool(payload.KeyBack) {
		ctx.SetContentType("application/octet-stream")
		ctx.Response.ImmediateHeaderFlush = true
		ctx.SetBodyStream(body, -1)
		return
	}
	sum := sha256.New()
	n, err := io.Copy(sum, body)
	if err != nil {
		// The client did not finish; there is nobody to answer.
		reset(ctx.Conn())
		return
	}
	ctx.SetContentType("text/plain")
	ctx.SetBody(payload.Receipt(t.version, nonce(ctx), n, sum.Sum(nil)))
}

// answerStream writes its pieces evenly over the asked time, chunked.
func (t *Target) answerStream(ctx *fasthttp.RequestCtx) {
	id := nonce(ctx)
	pieces := number(ctx, payload.KeyPieces, defaultPieces, 1000)
	pause := time.Duration(number(ctx, payload.KeyMillis, defaultMillis, 600_000)) * time.Millisecond
	if pieces > 1 {
		pause /= time.Duration(pieces - 1)
	}
	ctx.SetContentType("text/plain")
	killed, ended := t.conns.ended(), make(chan struct{})
	// fasthttp runs the writer in a goroutine of its own; Close waits for it here.
	t.wait.Go(func() { <-ended })
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		defer close(ended)
		defer t.counts.ended()
		sum := sha256.New()
		out := io.MultiWriter(w, sum)
		for i := 1; i <= pieces; i++ {
			if i > 1 && !pausing(pause, killed) {
				return
			}
			if _, err := out.Write(payload.Piece(t.version, id, i, pieces)); err != nil {
				return
			}
			if err := w.Flush(); err != nil {
				return
			}
		}
		// An error here means that the client left; the connection ends with it.
		_, _ = w.Write(payload.End(t.version, id, sum.Sum(nil)))
	})
}

// pausing waits, and reports whether the target still lives.
func pausing(pause time.Duration, killed <-chan struct{}) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-killed:
		return false
	}
}

// nonce of the request; "-" when it has none, so that people can use curl.
func nonce(ctx *fasthttp.RequestCtx) string {
	if n := ctx.QueryArgs().Peek(payload.KeyNonce); len(n) > 0 {
		return string(n)
	}
	return "-"
}

func number(ctx *fasthttp.RequestCtx, key string, fallback, most int) int {
	n, err := ctx.QueryArgs().GetUint(key)
	if err != nil {
		return fallback
	}
	return min(n, most)
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
