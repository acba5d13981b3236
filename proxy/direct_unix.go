//go:build unix && (race || !(linux && (amd64 || arm64)))

package proxy

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// The race detector knows that what one end wrote comes before what the other end does
// with it, if they go through Read and Write of package syscall.

func recv(fd uintptr, b []byte, flags int) (int, error) {
	if flags == 0 {
		n, err := syscall.Read(int(fd), b)
		return max(n, 0), err
	}
	n, _, err := syscall.Recvfrom(int(fd), b, flags|syscall.MSG_DONTWAIT)
	return max(n, 0), err
}

func send(fd uintptr, b []byte) (int, error) {
	n, err := syscall.Write(int(fd), b)
	return max(n, 0), err
}

// sendBoth sends two pieces as one.
func sendBoth(fd uintptr, a, b []byte) (int, error) {
	n, err := unix.Writev(int(fd), [][]byte{a, b})
	return max(n, 0), err
}
