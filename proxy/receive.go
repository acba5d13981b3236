package proxy

import (
	"io"
	"strconv"
	"time"

	"upfront/proxy/http1"
)

// The bounds of what a target may say before its response.
const (
	maxInterim        = 32
	maxResponseHead   = 256 << 10
	maxResponseFields = 500
)

var responseLimits = http1.Limits{Bytes: maxResponseHead, Fields: maxResponseFields}

// receive reads the response and passes it on as it comes.
func (x *exchange) receive() *Error {
	res := &x.c.res
	if err := x.awaitAnswer(); err != nil {
		return err
	}
	for interim := 0; ; interim++ {
		res.Reset()
		if err := x.readHead(); err != nil {
			return err
		}
		if !res.Interim() {
			if interim == 0 && x.isGoodbye() {
				return x.goodbye()
			}
			break
		}
		if interim == maxInterim {
			return x.badResponse(errInterimFlood)
		}
		if err := x.passInterim(); err != nil {
			return err
		}
		x.down.consume(res.Len())
	}
	if res.Status == 101 {
		return x.switchProtocols()
	}
	return x.relay()
}

// awaitAnswer waits for the first bytes of an answer. What the target sent before
// it had a byte of the request is none: on a kept connection it may be a second
// answer to the request of another client, or the 408 of a target that stops
// waiting (RFC 9112 §9.2). On a new one it can only be meant for us: a target that
// refuses whoever connects.
func (x *exchange) awaitAnswer() *Error {
	if err := x.awaitTarget(time.Time{}); err != nil {
		return x.blame("await", err)
	}
	if !x.conn.early() {
		return nil
	}
	if x.conn.uses == 0 {
		x.burnt = true
		return nil
	}
	return x.unasked()
}

// readHead reads the next response head of the target.
func (x *exchange) readHead() *Error {
	res := &x.c.res
	var began time.Time // when a part of the head had come
	for {
		if x.down.have > 0 {
			done, bad := res.Scan(x.down.bytes(), responseLimits)
			if bad != nil {
				return x.badResponse(bad)
			}
			if done {
				return nil
			}
			x.down.grow(maxResponseHead)
			if began.IsZero() {
				began = time.Now()
			}
		}
		if err := x.awaitTarget(began); err != nil {
			return x.blame("await", err)
		}
	}
}

// awaitTarget reads what the target sends next. The target's time runs from the
// end of the request: while the client is still uploading it has not begun, nor
// while the client waits for the target's 100, for await ends that. A head that began
// has as much time once more, for all of it: else one that trickles could hold the
// client for days.
func (x *exchange) awaitTarget(began time.Time) error {
	timeout := x.svc.TargetTimeout
	if x.lasts {
		if waits := x.callTimeout(); waits > 0 {
			timeout = waits + callSlack
		}
	}
	if timeout <= 0 {
		timeout = -1
	}
	now := x.now
	switch {
	case !began.IsZero():
		now = began
	case x.up.running:
		now = time.Now()
	}
	for {
		x.conn.armRead(now, timeout)
		err := x.down.more()
		if err == nil || !timedOut(err) || !began.IsZero() || !x.up.running {
			return err
		}
		now = time.Now()
		if ended := x.up.ended.Load(); ended != 0 {
			if timeout -= now.Sub(time.Unix(0, ended)); timeout <= 0 {
				return err
			}
		}
	}
}

const opReadResponse = "read response"

// badResponse is the error for what is no response. Whatever else the target
// sends, this connection is not used again.
func (x *exchange) badResponse(why error) *Error {
	return &Error{Op: opReadResponse, Target: x.target.Address(), Source: FromTarget, Status: 502, Err: why}
}

// The lines that are copied to the client as they came.
var keepFromTarget = kinds(http1.Other, http1.Date, http1.Host, http1.Expect, http1.Trailer, http1.ContentType, http1.UserAgent,
	http1.RequestID, http1.RequestStart, http1.ForwardedFor, http1.ForwardedProto, http1.ForwardedHost,
	http1.ForwardedPort, http1.ForwardedOther, http1.Ambiguous, http1.SecWebSocketKey, http1.Underscored)

// passInterim passes a 1xx response on, to a client that knows them. A 100 that
// the client does not wait for ends here.
func (x *exchange) passInterim() *Error {
	c, res := x.c, &x.c.res
	if c.req.Minor == 0 || res.Status == 100 && !c.req.Continue {
		return nil
	}
	c.out = appendStatusLine(c.out[:0], res)
	c.out = res.AppendKept(c.out, keepFromTarget)
	c.out = append(c.out, "\r\n"...)
	err := x.toClient(c.out, nil)
	if err == nil && res.Status == 100 {
		x.up.invite(x)
	}
	return err
}

func appendStatusLine(b []byte, res *http1.Response) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(res.Status), 10)
	b = append(b, ' ')
	b = append(b, res.Reason...)
	return append(b, "\r\n"...)
}

// appendResponseHead writes the final head that the client gets. chunked says
// that the body goes out in chunks.
func (x *exchange) appendResponseHead(b []byte, chunked bool) []byte {
	req, res := &x.c.req, &x.c.res
	b = appendStatusLine(b, res)
	wrote := x.marks()
	b = x.appendScoped(b)
	b = res.AppendKept(b, keepFromTarget)
	b = x.appendCookies(b, wrote)
	// RFC 9110 §8.6: never in a 204; in an answer to HEAD and in a 304 it says
	// what the body would have been.
	if n := res.ContentLength(); n >= 0 && res.Status != 204 {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, n, 10)
		b = append(b, "\r\n"...)
	}
	if chunked {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if !res.Dated {
		b = x.c.server.appendDate(b, time.Now())
	}
	b = x.appendHSTS(b)
	if protocol := x.offered(); protocol != "" { // RFC 9110 §15.5.22: a 426 has to say to what
		b = appendUpgrade(b, protocol)
	}
	return x.appendConnection(b, req)
}

// appendConnection says whether the client's connection persists, and ends the
// head.
func (x *exchange) appendConnection(b []byte, req *http1.Request) []byte {
	switch {
	case x.close:
		b = append(b, "Connection: close\r\n"...)
	case req.Minor == 0:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return append(b, "\r\n"...)
}

// decideClose settles, when the final head goes out, whether the connection to
// the client ends with this exchange.
func (x *exchange) decideClose(status int) {
	if x.c.last || !x.c.req.KeepAlive() || x.c.server.keepsNone() {
		x.close = true
		return
	}
	// An early refusal: the client should stop sending, and a client that
	// waited for a 100 may send the body or not.
	if !x.up.taken() && (status >= 400 || x.c.req.Continue) {
		x.close, x.linger = true, true
	}
}

// toClient writes to the client. An error means that nobody is left to answer.
func (x *exchange) toClient(head, body []byte) *Error {
	_, err := x.c.clientSender.send(&x.c.socket, &head, body, x.settings.BodyTimeout)
	if cap(head) > cap(x.c.out) {
		x.c.out = head[:0] // it grew: the next response need not
	}
	if err != nil {
		return &Error{Op: "write", Source: FromClient, Status: 499, Err: cause(err)}
	}
	return nil
}

// relay passes the final response on.
func (x *exchange) relay() *Error {
	c, res := x.c, &x.c.res
	body := flow{kind: res.Body(c.req.IsHead()), left: res.ContentLength()}
	if body.beyond(x.svc.MaxResponseBody) {
		return x.tooLarge()
	}
	x.up.spareSpool()
	x.status = res.Status
	x.noteResponse()
	plain := body.kind == http1.UntilClose // the target's bytes have no framing of their own
	chunked := c.req.Minor > 0 && (plain || body.kind == http1.Chunked)
	body.chunks.Bare = c.req.Minor == 0
	if !chunked && (plain || body.kind == http1.Chunked) {
		x.close = true // HTTP/1.0: the end of the connection ends the body
	}
	x.leads = x.mayLead(&body)
	x.decideClose(res.Status)
	c.out = x.appendResponseHead(c.out[:0], chunked)
	// To send the body after all is a common mistake of targets, and it would come
	// too late to be told from the next response.
	keepAlive := res.KeepAlive() && !plain && !res.MayFollow(c.req.IsHead())
	x.down.consume(res.Len())
	res.Reset() // what it pointed into is consumed, and may have been large
	if err := x.relayBody(&body, chunked && plain); err != nil {
		return err
	}
	x.endResponse(keepAlive)
	return nil
}

// tooLarge is the error for a body that the service does not let through.
func (x *exchange) tooLarge() *Error {
	x.contentTypeLen, x.logged = 0, nil
	err := x.badResponse(errAnswerTooLarge)
	err.Status = 500
	return err
}

// relayBody writes the head that stands in c.out, then the body as it comes.
// wrap says that we make the chunks.
func (x *exchange) relayBody(body *flow, wrap bool) *Error {
	head := x.c.out
	for {
		keep, used, bad := body.walk(x.down.bytes())
		if bad != nil {
			return x.badResponse(bad)
		}
		if body.beyond(x.svc.MaxResponseBody) {
			return x.tooLarge()
		}
		if len(head) > 0 || keep > 0 {
			if err := x.pass(head, x.down.bytes()[:keep], wrap); err != nil {
				return err
			}
			if head != nil {
				head = nil
				x.c.shrinkOut()
			}
		}
		x.down.consume(used)
		if body.done() {
			break
		}
		x.down.pass()
		if body.kind == http1.Fixed && x.mayPour(body) {
			return x.pourBody(body)
		}
		if err := x.awaitReader(body); err != nil {
			return err
		}
		if err := x.awaitBody(body); err != nil {
			return err
		}
	}
	if wrap {
		return x.toClient([]byte("0\r\n\r\n"), nil)
	}
	return nil
}

// pass writes a piece of the response.
func (x *exchange) pass(head, piece []byte, wrap bool) *Error {
	x.started = true
	x.sent += int64(len(piece))
	if x.leads {
		return x.lead(head, piece)
	}
	if !wrap || len(piece) == 0 {
		return x.toClient(head, piece)
	}
	if head == nil {
		head = x.c.out[:0]
	}
	head = strconv.AppendInt(head, int64(len(piece)), 16)
	head = append(head, "\r\n"...)
	if len(piece) <= joinBelow {
		head = append(head, piece...)
		return x.toClient(append(head, lineEnd...), nil)
	}
	if err := x.toClient(head, piece); err != nil {
		return err
	}
	return x.toClient(lineEnd, nil)
}

var lineEnd = []byte("\r\n")

// awaitBody reads more of the response's body. A body of known length makes
// progress or is given up; a stream may be silent for as long as a tunnel.
func (x *exchange) awaitBody(body *flow) *Error {
	timeout := x.settings.BodyTimeout
	if body.kind != http1.Fixed {
		timeout = x.settings.TunnelTimeout
	}
	x.conn.armRead(time.Now(), timeout)
	err := x.down.more()
	switch {
	case err == nil:
		return nil
	case err == io.EOF && body.kind == http1.UntilClose:
		body.closed = true
		return nil
	}
	return x.cutBody(err)
}

// cutBody is the error for a body of which the rest does not come.
func (x *exchange) cutBody(err error) *Error {
	if err == io.EOF {
		err = errTruncated
	}
	if why := x.conn.killed(); why != nil {
		return x.ended("read body", why)
	}
	return &Error{Op: "read body", Target: x.target.Address(), Source: FromTarget, Status: 502, Err: cause(err)}
}

// endResponse settles the connection to the target once the response is
// complete. It is used again only if the response ended at the last byte read
// and the request was sent whole.
func (x *exchange) endResponse(keepAlive bool) {
	x.up.join(x)
	if keepAlive && !x.burnt && x.down.have == 0 && x.up.finished() {
		x.keep()
	} else {
		x.giveUp()
	}
}
