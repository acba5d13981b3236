//go:build linux || darwin

package proxy

import "golang.org/x/sys/unix"

const canTryWrite = true

// tryWrite writes to a non-blocking descriptor as much as it takes.
func tryWrite(fd uintptr, pieces [][]byte) (int, error) {
	for {
		n, err := unix.Writev(int(fd), pieces)
		switch err {
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return max(n, 0), err
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
