//go:build unix

package health

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// duplicate returns another descriptor of a connection, of which the runtime's poller
// knows nothing, or -1.
func duplicate(fd uintptr) int {
	n, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return n
}

func closeNow(fd int) { _ = syscall.Close(fd) }

// readNow reads from a non-blocking descriptor; wait says that nothing is there yet. At
// the end, or after an error, it reads nothing and there is nothing to wait for.
func readNow(fd int, p []byte) (n int, wait bool) {
	for {
		n, errno := recv(uintptr(fd), p)
		if errno != syscall.EINTR {
			return n, errno == syscall.EAGAIN
		}
	}
}

// writeNow reports whether all of p went out without waiting.
func writeNow(fd int, p []byte) bool {
	for {
		n, errno := send(uintptr(fd), p)
		if errno != syscall.EINTR {
			return errno == 0 && n == len(p)
		}
	}
}
