package proxy

import (
	"bytes"
	"errors"

	"upfront/service"
)

// The path at which the health of a service is published: kamal-proxy's.
var (
	publishedPrefix = []byte("/.kamal-proxy/")
	publishedSuffix = []byte("/health")
)

var errUnserved = errors.New("no target takes requests")

// askedOfUs answers for the health of a service that wants it published, to load
// balancers in front of us that know its name and none of its hosts. A closed gate
// is no reason to take the machine out of rotation. Nil: the request is one as any
// other.
func (x *exchange) askedOfUs(path []byte) *Error {
	name, ok := bytes.CutPrefix(path, publishedPrefix)
	if !ok || x.c.server.published == nil || !asksToRead(&x.c.req) {
		return nil
	}
	if name, ok = bytes.CutSuffix(name, publishedSuffix); !ok {
		return nil
	}
	svc := x.c.server.published(name)
	if svc == nil {
		return nil
	}
	x.svc, x.prefix = svc, "/"
	if svc.Gate.State() != service.Running || svc.Serves() {
		return errResting
	}
	return &Error{Op: "published health", Source: FromProxy, Status: 503, Err: errUnserved}
}
