//go:build unix && (race || !linux || (!amd64 && !arm64))

package health

import "syscall"

func recv(fd uintptr, b []byte) (int, syscall.Errno) { return result(syscall.Read(int(fd), b)) }
func send(fd uintptr, b []byte) (int, syscall.Errno) { return result(syscall.Write(int(fd), b)) }

func result(n int, err error) (int, syscall.Errno) {
	if err == nil {
		return n, 0
	}
	errno, ok := err.(syscall.Errno) //nolint:errorlint // package syscall wraps none
	if !ok {
		errno = syscall.EIO
	}
	return 0, errno
}
