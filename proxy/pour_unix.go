//go:build linux || darwin

package proxy

import (
	"io"
	"os"
	"syscall"
)

const canPour = true

// lookAt copies what has arrived on a non-blocking descriptor and leaves it there;
// wait says that nothing is there yet.
func lookAt(fd uintptr, b []byte) (n int, wait bool, err error) {
	for {
		n, errno := recv(fd, b, syscall.MSG_PEEK)
		switch errno {
		case 0:
			return n, false, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return 0, false, os.NewSyscallError("read", errno)
		}
	}
}

// discardFrom takes the next len(b) bytes, which have arrived, from a descriptor.
func discardFrom(fd uintptr, b []byte) error {
	for len(b) > 0 {
		n, errno := recv(fd, b, discard)
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return os.NewSyscallError("read", errno)
		case n <= 0:
			return io.ErrUnexpectedEOF // what was there a moment ago is not
		default:
			b = b[n:]
		}
	}
	return nil
}
