//go:build linux || darwin

package proxy

import (
	"io"
	"syscall"
)

const canPour = true

// lookAt copies what has arrived on a non-blocking descriptor and leaves it there;
// wait says that nothing is there yet.
func lookAt(fd uintptr, b []byte) (n int, wait bool, err error) {
	for {
		n, err := recv(fd, b, syscall.MSG_PEEK)
		switch err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return max(n, 0), false, err
		}
	}
}

// discardFrom takes the next len(b) bytes, which have arrived, from a descriptor.
func discardFrom(fd uintptr, b []byte) error {
	for len(b) > 0 {
		n, err := recv(fd, b, discard)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return err
		case n <= 0:
			return io.ErrUnexpectedEOF // what was there a moment ago is not
		default:
			b = b[n:]
		}
	}
	return nil
}
