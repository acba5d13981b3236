//go:build unix

package proxy

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const canTryIO = true

// tryRead reads from a non-blocking descriptor; wait says that nothing is there
// yet.
func tryRead(fd uintptr, b []byte) (n int, wait bool, err error) {
	for {
		n, errno := recv(fd, b, 0)
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

// tryWrite writes to a non-blocking descriptor as much of a and b as it takes at
// once; 0 says that it takes nothing yet.
func tryWrite(fd uintptr, a, b []byte) (n int, err error) {
	for {
		var errno syscall.Errno
		switch {
		case len(b) == 0:
			n, errno = send(fd, a)
		case len(a) == 0:
			n, errno = send(fd, b)
		default:
			n, errno = sendBoth(fd, a, b)
		}
		switch errno {
		case 0:
			return n, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, os.NewSyscallError("write", errno)
		}
	}
}

// peekAt reports whether a read would have to wait, or would find the end of the
// stream or an error.
func peekAt(fd uintptr) (silent, ended bool) {
	var b [1]byte
	for {
		n, errno := recv(fd, b[:], syscall.MSG_PEEK)
		if errno != syscall.EINTR {
			return errno == syscall.EAGAIN, errno != syscall.EAGAIN && n <= 0
		}
	}
}

// takesMore reports whether a write to a non-blocking descriptor would find room, or an
// error.
func takesMore(fd uintptr) bool {
	ask := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(ask[:], 0)
	return n > 0 || err != nil && err != unix.EINTR
}
