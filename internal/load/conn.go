package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// conn is one connection to the proxy, used by one worker.
type conn struct {
	net.Conn
	r      *bufio.Reader
	reused bool // it has carried an exchange
}

func dial(ctx context.Context, o Options) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	c, err := o.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &conn{Conn: c, r: bufio.NewReaderSize(c, 16<<10)}, nil
}

// idle says what an unused keep-alive connection is: still open (nil), closed by
// the proxy (io.EOF), or wrong, for example because bytes arrived that nobody
// asked for.
func (c *conn) idle() error {
	if n := c.r.Buffered(); n > 0 {
		return fmt.Errorf("surplus bytes after the answer: %s", c.surplus(n))
	}
	raw, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil
	}
	sys, err := raw.SyscallConn()
	if err != nil {
		return fmt.Errorf("look at idle connection: %w", err)
	}
	var n int
	var peekErr error
	var first [64]byte
	// Returning true at once: look, and never wait.
	err = sys.Read(func(fd uintptr) bool {
		n, _, peekErr = syscall.Recvfrom(int(fd), first[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	switch {
	case err != nil:
		return fmt.Errorf("look at idle connection: %w", err)
	case errors.Is(peekErr, syscall.EAGAIN), errors.Is(peekErr, syscall.EINTR):
		return nil
	case peekErr != nil:
		return fmt.Errorf("idle connection was broken: %w", peekErr)
	case n == 0:
		return io.EOF
	}
	return fmt.Errorf("surplus bytes after the answer: %q", first[:n])
}

// expectEnd verifies that nothing but the end follows, as was announced with
// Connection: close.
func (c *conn) expectEnd() error {
	switch _, err := c.r.Peek(1); {
	case err == nil:
		return fmt.Errorf("surplus bytes before the end: %s", c.surplus(c.r.Buffered()))
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("wait for the announced end: %w", err)
	}
	return nil
}

// expectQuiet verifies that no byte has followed the answer so far.
func (c *conn) expectQuiet() error {
	if n := c.r.Buffered(); n > 0 {
		return fmt.Errorf("surplus bytes after the answer: %s", c.surplus(n))
	}
	return nil
}

func (c *conn) surplus(n int) string {
	b, _ := c.r.Peek(min(n, 64)) // they are buffered
	return fmt.Sprintf("%q", b)
}

// port is the local one, to find the connection in a packet dump or a log.
func (c *conn) port() int {
	if a, ok := c.LocalAddr().(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}

func (c *conn) setTimeout(d time.Duration) { _ = c.SetDeadline(time.Now().Add(d)) }
