package proxy

import (
	"context"
	"errors"
	"strings"
	"time"

	"upfront/service"
)

// hold waits at a closed gate, with the body unread, and reads the table again.
func (x *exchange) hold() *Error {
	if x.asksHealth() {
		return errResting
	}
	wait := &targetConn{} // stands in for a connection: what leave and Shutdown can end
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	wait.guard(cancel)
	x.c.watch(wait)
	if x.c.server.closing.Load() {
		wait.kill(errStopping) // Shutdown may have looked before we waited
	}
	err := x.svc.Gate.Wait(ctx)
	x.c.unwatch(wait)
	x.now = time.Now()
	if cause := wait.unguard(); cause != nil {
		return x.ended("pause", cause)
	}
	switch {
	case err == nil:
		return x.route()
	case errors.Is(err, service.ErrStopped):
		return &Error{Op: "gate", Source: FromProxy, Status: 503, Err: errStopped}
	case errors.Is(err, service.ErrPauseTimeout):
		return &Error{Op: "gate", Source: FromProxy, Status: 504, Err: err}
	}
	return &Error{Op: "gate", Source: FromProxy, Status: 503, Err: err}
}

// errResting stands for the answer to a health check of a service whose gate is
// closed. Whatever probes through us (a load balancer in front) is not to take
// the machine out of rotation while a migration runs.
var errResting = &Error{Op: "gate", Source: FromProxy, Status: 200, Err: errors.New("gate is closed")}

// asksHealth reports whether the request is a health check as the target would
// see it.
func (x *exchange) asksHealth() bool {
	req := &x.c.req
	if method := string(req.Method); method != "GET" && method != "HEAD" {
		return false
	}
	path := req.Path
	if x.svc.StripPrefix && len(x.prefix) > 1 {
		path = path[len(x.prefix):]
		if len(path) == 0 {
			path = rootPath
		}
	}
	for _, health := range x.svc.HealthPaths {
		if health, _, _ = strings.Cut(health, "?"); health == string(path) {
			return true
		}
	}
	return false
}

// sayWell answers a health check in the place of the targets.
func (x *exchange) sayWell() {
	x.answer(ownHead{status: 200}, []byte("OK"))
}
