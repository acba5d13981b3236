//go:build unix

package dial

import (
	"io"
	"syscall"
)

const canReadNow = true

// readNow reads from a non-blocking descriptor; wait says that nothing is there yet.
func readNow(fd uintptr, p []byte) (n int, wait bool, err error) {
	for {
		n, err := syscall.Read(int(fd), p)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, true, nil
		case err == nil && n == 0:
			return 0, false, io.EOF
		default:
			return max(n, 0), false, err
		}
	}
}

// arrived reports whether a read would not have to wait.
func arrived(fd uintptr) bool {
	var b [1]byte
	for {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EINTR {
			return err != syscall.EAGAIN
		}
	}
}

// writeNow writes what goes out without waiting.
func writeNow(fd uintptr, p []byte) { _, _ = syscall.Write(int(fd), p) }
