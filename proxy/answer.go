package proxy

// fail answers an exchange that ended in an error, as far as anybody is left to
// be answered.
func (x *exchange) fail(err *Error) {
	x.place.End()
	switch err {
	case errResting:
		x.sayWell()
		return
	case errProven:
		return
	}
	if err == errElsewhere {
		x.redirect()
		return
	}
	x.err = err
	switch {
	case x.started:
		// The client must not take what it has for the whole: the connection
		// ends before the body does.
		x.close, x.linger = true, false
		x.c.server.counters.Aborted.Add(1)
		x.c.reset()
	case err.Status == 499:
		x.close, x.status = true, 499
		x.c.server.counters.ClientsLeft.Add(1)
	default:
		x.respond(err)
	}
}

// respond answers with a page of our own.
func (x *exchange) respond(err *Error) {
	if x.isGRPC() {
		x.respondToCall(err)
		return
	}
	form, body := x.page(err)
	x.answer(ownHead{status: err.Status, form: form, retry: worthRetrying(err)}, body)
}

// answer sends an answer of our own. A HEAD gets the head alone.
func (x *exchange) answer(head ownHead, body []byte) {
	x.status = head.status
	x.decideClose(head.status)
	head.id, head.minor, head.closing, head.hsts = string(x.id.bytes()), x.c.req.Minor, x.close, x.hsts()
	out := head.append(x.c.out[:0], len(body))
	if x.c.req.IsHead() {
		body = nil
	}
	x.started = true
	x.sent = int64(len(body))
	if failed := x.toClient(out, body); failed != nil {
		x.close, x.linger = true, false
	}
}
