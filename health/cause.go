package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

// cause is why a probe failed: what a person is told, and the error behind it.
type cause struct {
	text string
	err  error // for errors.Is; may be nil
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

// statusError: the target answered with a status outside the range.
type statusError struct{ code, low, high int }

func (e *statusError) Error() string {
	expected := strconv.Itoa(e.low)
	if e.high != e.low {
		expected += "-" + strconv.Itoa(e.high)
	}
	return fmt.Sprintf("%d (expected %s)", e.code, expected)
}

var (
	errNotHTTP = &cause{text: "not an HTTP answer"}
	errTLS     = &cause{text: "not an HTTP answer: the target speaks TLS"}
)

// dialCause says why there is no connection. ctx is the probe's own, with its
// timeout.
func dialCause(ctx context.Context, err error) error {
	var dns *net.DNSError
	var said interface{ Cause() string }
	isDNS := errors.As(err, &dns)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &cause{"canceled", context.Canceled}
	case errors.As(err, &said):
		return &cause{said.Cause(), err}
	case isDNS && dns.IsNotFound:
		return &cause{"no such host", err}
	case isDNS && (dns.IsTimeout || ctx.Err() != nil):
		return &cause{"name lookup timed out", err}
	case isDNS:
		return &cause{"name lookup failed: " + dns.Err, err}
	case ctx.Err() != nil, errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, os.ErrDeadlineExceeded):
		return &cause{"connect timed out", err}
	}
	return networkCause(err)
}

// exchangeCause says why a connection gave no complete answer. got is whether
// any byte of an answer arrived; connErr is the first error of the connection,
// nil when only the client objected.
func exchangeCause(ctx context.Context, timeout time.Duration, got bool, connErr, err error) error {
	var judged *cause
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &cause{"canceled", context.Canceled}
	case ctx.Err() != nil && got:
		return &cause{"answer not complete within " + timeout.String(), ctx.Err()}
	case ctx.Err() != nil:
		return &cause{"no answer within " + timeout.String(), ctx.Err()}
	case errors.As(connErr, &judged):
		return judged
	case errors.Is(connErr, io.EOF) && got, errors.Is(connErr, io.ErrUnexpectedEOF):
		return &cause{"answer cut short", connErr}
	case errors.Is(connErr, io.EOF):
		return &cause{"connection closed without an answer", connErr}
	case connErr != nil:
		return networkCause(connErr)
	}
	if _, tooLarge := errors.AsType[*fasthttp.ErrSmallBuffer](err); tooLarge {
		return &cause{fmt.Sprintf("head of the answer is larger than %d KiB", maxHead>>10), err}
	}
	return &cause{errNotHTTP.text, err}
}

// networkCause cuts what Go puts in front of the kernel's words.
func networkCause(err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		var op *net.OpError
		if errors.As(err, &op) && op.Err != nil {
			return &cause{op.Err.Error(), err}
		}
		return err
	}
	if text, ok := errnoText[errno]; ok {
		return &cause{text, err}
	}
	return &cause{errno.Error(), err}
}

// noDescriptor reports whether a probe failed for want of file descriptors in
// this process or system.
func noDescriptor(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE} {
		// The resolver keeps the text of an error only.
		dns, isDNS := errors.AsType[*net.DNSError](err)
		if errors.Is(err, errno) || isDNS && strings.Contains(dns.Err, errno.Error()) {
			return true
		}
	}
	return false
}

// errnoText has what systems word differently, or at length.
var errnoText = map[syscall.Errno]string{
	syscall.ECONNREFUSED: "connection refused",
	syscall.ECONNRESET:   "connection reset",
	syscall.EHOSTUNREACH: "no route to host",
	syscall.ENETUNREACH:  "network unreachable",
	syscall.ETIMEDOUT:    "connection timed out",
}
