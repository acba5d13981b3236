package proxy

import (
	"bytes"

	"upfront/page"
)

// Challenges answers what certificate authorities ask to see that a host is ours;
// acme.Certificates does. It is asked before the route, for any host.
type Challenges interface {
	// Answer returns the body for a GET of path. ok is false when it is not about a
	// challenge under way; then the request goes its way.
	Answer(host, path []byte) (body []byte, ok bool)
}

var challengePath = []byte("/.well-known/acme-challenge/") // RFC 8555 §8.3

// errProven stands for a challenge that was answered.
var errProven = &Error{Op: "challenge", Source: FromProxy, Status: 200}

// prove answers a challenge. Other paths pay for one comparison.
func (x *exchange) prove() *Error {
	req, challenges := &x.c.req, x.c.server.challenges
	if challenges == nil || !bytes.HasPrefix(req.Path, challengePath) || string(req.Method) != "GET" {
		return nil
	}
	body, ok := challenges.Answer(req.Host, req.Path)
	if !ok {
		return nil
	}
	x.answer(ownHead{status: 200, form: page.Text}, body)
	return errProven
}
