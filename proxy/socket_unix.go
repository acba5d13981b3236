//go:build unix

package proxy

import "syscall"

const canTryRead = true

// tryRead reads from a non-blocking descriptor; wait says that nothing is there
// yet.
func tryRead(fd uintptr, b []byte) (n int, wait bool, err error) {
	for {
		n, err := syscall.Read(int(fd), b)
		switch err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return n, false, err
		}
	}
}

// peekAt reports whether a read would have to wait, or would find the end of the
// stream or an error.
func peekAt(fd uintptr) (silent, ended bool) {
	var b [1]byte
	for {
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EINTR {
			return err == syscall.EAGAIN, err != syscall.EAGAIN && n <= 0
		}
	}
}
