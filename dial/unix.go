package dial

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// The waits between two attempts at a unix socket whose queue is full.
const (
	shortestWait = time.Millisecond
	longestWait  = 20 * time.Millisecond
)

// dialUnix waits for a place in the queue of a unix socket as TCP does by itself: here
// the system refuses at once when the queue is full, and a burst of requests would fail.
func dialUnix(ctx context.Context, path string, by net.Dialer) (net.Conn, error) {
	for wait := shortestWait; ; wait = min(2*wait, longestWait) {
		conn, err := by.DialContext(ctx, "unix", path)
		if !errors.Is(err, syscall.EAGAIN) {
			return conn, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, &Error{text: "queue of the unix socket stayed full", err: ctx.Err()}
		}
	}
}
