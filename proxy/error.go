package proxy

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Source says whose fault an Error is.
type Source uint8

// The sources.
const (
	FromClient Source = iota
	FromTarget
	FromProxy
)

// Retry says when an exchange that failed may be tried again.
type Retry uint8

// The answers.
const (
	RetryNever      Retry = iota
	RetryIdempotent       // the target may have seen the request
	RetryAlways           // the request never reached the target
)

// Error is how an exchange failed: what was being done, with which target, whose
// fault it is, what the client is answered, and whether it may be tried again.
type Error struct {
	Op     string // "connect", "send", "await", "read", …
	Target string // address; empty when none was chosen
	Source Source
	Status int // 499: nobody is left to be answered
	Retry  Retry
	// Stale says that a kept connection turned out to be dead: the target
	// itself is not to blame, and may be tried again on a new one.
	Stale bool
	Err   error
}

// Error renders the error as one line.
func (e *Error) Error() string {
	if e.Target == "" {
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("%s %s: %v", e.Op, e.Target, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// The causes that no other package reports.
var (
	errNoRoute        = errors.New("no service for this host and path")
	errStopped        = errors.New("service is stopped")
	errClientLeft     = errors.New("client left")
	errUploadStopped  = errors.New("upload stopped")
	errPanic          = errors.New("internal error")
	errStopping       = errors.New("proxy is stopping")
	errCut            = errors.New("cut at the drain timeout")
	errBodyTooLarge   = errors.New("request body too large")
	errAnswerTooLarge = errors.New("response body too large")
	errSwitched       = errors.New("switched protocols without being asked")
	errSwitchedEarly  = errors.New("switched protocols before the request was complete")
	errInterimFlood   = errors.New("too many interim responses")
	errUnasked        = errors.New("response before the request")
	errTired          = errors.New("target was tired of waiting for a request")
	errEarlyClose     = errors.New("connection closed before a response")
	errTruncated      = errors.New("body ended early")
	errTooSlow        = errors.New("body came slower than limits.body_rate")

	errShort         = errors.New("memory is short")
	errHandshakeTurn = errors.New("too many handshakes at once")
	errMisdirected   = errors.New("connection was opened for another host")
	errNeedsTLS      = errors.New("service is reached over TLS only")

	errTooManyConnections = errors.New("too many connections from this address")
)

// timedOut reports whether err is a deadline that passed.
func timedOut(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// ours reports whether a dial failed for want of our own resources, which says
// nothing about the target.
func ours(err error) bool {
	return scarce(err) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.ENOBUFS)
}

// scarce reports whether err is for want of descriptors.
func scarce(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) }
