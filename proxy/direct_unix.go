//go:build unix && (race || !(linux && (amd64 || arm64)))

package proxy

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// The race detector knows that what one end wrote comes before what the other end does
// with it, if they go through Read and Write of package syscall.

func recv(fd uintptr, b []byte, flags int) (int, syscall.Errno) {
	if flags == 0 {
		n, err := syscall.Read(int(fd), b)
		return result(n, err)
	}
	n, _, err := syscall.Recvfrom(int(fd), b, flags|syscall.MSG_DONTWAIT)
	return result(n, err)
}

func send(fd uintptr, b []byte) (int, syscall.Errno) {
	n, err := syscall.Write(int(fd), b)
	return result(n, err)
}

// sendBoth sends two pieces as one.
func sendBoth(fd uintptr, a, b []byte) (int, syscall.Errno) {
	n, err := unix.Writev(int(fd), [][]byte{a, b})
	return result(n, err)
}

func result(n int, err error) (int, syscall.Errno) {
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		panic("BUG: a system call failed with " + err.Error())
	}
	return max(n, 0), errno
}
