package load

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"upfront/internal/load/payload"
)

var versionField = strings.ToLower(payload.VersionHeader)

func (w *worker) get(ctx context.Context) result {
	return w.getWith(ctx, "")
}

// getOnce asks for a connection of its own, and for its end.
func (w *worker) getOnce(ctx context.Context) result {
	return w.getWith(ctx, "Connection: close\r\n")
}

func (w *worker) getWith(ctx context.Context, fields string) (r result) {
	nonce, size := w.nextNonce(), w.g.options.AnswerSize
	w.head("GET", payload.AnswerPath, nonce, payload.KeySize+"="+strconv.Itoa(size), fields)
	body := w.exchange(ctx, w.out, &r)
	if fields != "" && w.conn != nil {
		r.fail(errors.New("connection stays open although its end was asked for"))
		w.drop()
	}
	if r.err == nil {
		r.judge(payload.CheckAnswer(body, nonce, size))
	}
	return r
}

func (w *worker) post(ctx context.Context) (r result) {
	nonce := w.nextNonce()
	sent := payload.Body(nonce, w.g.options.PostSize)
	w.head("POST", payload.EchoPath, nonce, "", "Content-Type: application/octet-stream\r\nContent-Length: "+strconv.Itoa(len(sent))+"\r\n")
	w.out = append(w.out, sent...)
	body := w.exchange(ctx, w.out, &r)
	if r.err == nil {
		r.judge(payload.CheckReceipt(body, nonce, sent))
	}
	r.bytes += len(sent)
	return r
}

func (w *worker) stream(ctx context.Context) (r result) {
	o := w.g.options
	nonce := w.nextNonce()
	w.head("GET", payload.StreamPath, nonce,
		fmt.Sprintf("%s=%d&%s=%d", payload.KeyPieces, o.StreamPieces, payload.KeyMillis, o.StreamTime.Milliseconds()), "")
	body := w.exchange(ctx, w.out, &r)
	if r.err == nil {
		r.judge(payload.CheckStream(body, nonce, o.StreamPieces))
	}
	return r
}

// head writes a request's head into w.out.
func (w *worker) head(method, path, nonce, query, fields string) {
	w.out = append(w.out[:0], method+" "+w.g.options.Prefix+path+"?"+payload.KeyNonce+"="+nonce...)
	if query != "" {
		w.out = append(w.out, "&"+query...)
	}
	w.out = append(w.out, " HTTP/1.1\r\nHost: "+w.g.options.Host+"\r\n"+fields+"\r\n"...)
}

// judge takes the verdict on a body; version wrote it, and the head must have
// said so too: else one answer's head came with another's body.
func (r *result) judge(version string, err error) {
	if err == nil && r.version != version {
		err = fmt.Errorf("head is of version %q, body of version %q", r.version, version)
	}
	r.fail(err)
}

// fail keeps the first error.
func (r *result) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}
