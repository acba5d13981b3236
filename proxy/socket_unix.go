//go:build unix

package proxy

import (
	"os"
	"syscall"
)

const canTryIO = true

// tryRead reads from a non-blocking descriptor; wait says that nothing is there
// yet.
func tryRead(fd uintptr, b []byte) (n int, wait bool, err error) {
	for {
		n, err := recv(fd, b, 0)
		switch err {
		case nil:
			return n, false, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return 0, false, os.NewSyscallError("read", err)
		}
	}
}

// tryWrite writes to a non-blocking descriptor as much of a and b as it takes at
// once; 0 says that it takes nothing yet.
func tryWrite(fd uintptr, a, b []byte) (n int, err error) {
	for {
		switch {
		case len(b) == 0:
			n, err = send(fd, a)
		case len(a) == 0:
			n, err = send(fd, b)
		default:
			n, err = sendBoth(fd, a, b)
		}
		switch err {
		case nil:
			return n, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, os.NewSyscallError("write", err)
		}
	}
}

// peekAt reports whether a read would have to wait, or would find the end of the
// stream or an error.
func peekAt(fd uintptr) (silent, ended bool) {
	var b [1]byte
	for {
		n, err := recv(fd, b[:], syscall.MSG_PEEK)
		if err != syscall.EINTR {
			return err == syscall.EAGAIN, err != syscall.EAGAIN && n <= 0
		}
	}
}
