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
	x.place.End() // paused again before it was sent
	return x.stand(func(ctx context.Context) (err error) {
		x.place, err = x.svc.Gate.Wait(ctx)
		return err
	})
}

// roomInterval is how often a request that a pause held up looks whether a target
// has room. Many look, so room does not stay empty for that long.
const roomInterval = 20 * time.Millisecond

// awaitRoom lets a request that found the targets full wait a moment, or in line,
// while a pause is to blame. False: it is not.
func (x *exchange) awaitRoom() (waited bool, err *Error) {
	if x.place.Held() {
		return true, x.stand(func(ctx context.Context) error {
			timer := time.NewTimer(roomInterval)
			defer timer.Stop()
			select {
			case <-timer.C:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}
	if !x.svc.Gate.Crowded() {
		return false, nil
	}
	return true, x.joinLine()
}

// joinLine waits in line behind those that the last pause held, and reads the table
// again.
func (x *exchange) joinLine() *Error {
	x.place.End()
	return x.stand(func(ctx context.Context) (err error) {
		x.place, err = x.svc.Gate.Join(ctx)
		return err
	})
}

// stand waits for what the client's leave and Shutdown can end, and then reads the
// table again.
func (x *exchange) stand(wait func(context.Context) error) *Error {
	stand := &targetConn{gate: true} // stands in for a connection: what leave and Shutdown can end
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stand.guard(cancel)
	x.c.watch(stand)
	if x.c.server.leaving.Load() {
		stand.kill(errStopping) // Shutdown may have looked before we waited
	}
	err := wait(ctx)
	x.c.unwatch(stand)
	x.now = time.Now()
	if cause := stand.unguard(); cause != nil {
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
	path := x.targetPath()
	for _, health := range x.svc.HealthPaths {
		if health, _, _ = strings.Cut(health, "?"); health == string(path) {
			return true
		}
	}
	return false
}

// targetPath is the path as the target sees it.
func (x *exchange) targetPath() []byte {
	path := x.c.req.Path
	if x.svc.StripPrefix && len(x.prefix) > 1 {
		if path = path[len(x.prefix):]; len(path) == 0 {
			return rootPath
		}
	}
	return path
}

// sayWell answers a health check in the place of the targets.
func (x *exchange) sayWell() {
	x.answer(ownHead{status: 200}, []byte("OK"))
}
