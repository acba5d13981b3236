package wire

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const backlog = 4096

// Listen listens on address, which is an IPv4 address and a port. "*:PORT" is every
// address of the loopback device, so that one listener can be ten thousand targets, and
// "unix:PATH" a socket that must not exist yet.
func Listen(address string) (int, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return listenUnix(path)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := listen(fd, address); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("listen on %s: %w", address, err)
	}
	return fd, nil
}

func listenUnix(path string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("listen on %s: %w", path, err)
	}
	return fd, nil
}

func listen(fd int, address string) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if port, all := strings.CutPrefix(address, "*:"); all {
		address = "0.0.0.0:" + port
		if err := unix.BindToDevice(fd, "lo"); err != nil {
			return err
		}
	}
	to, err := socketAddress(address)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, to); err != nil {
		return err
	}
	return unix.Listen(fd, backlog)
}

func socketAddress(address string) (*unix.SockaddrInet4, error) {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	return &unix.SockaddrInet4{Addr: parsed.Addr().As4(), Port: int(parsed.Port())}, nil
}

// Accept returns the next connection of a listener, or ErrAgain.
func Accept(listener int) (int, error) {
	fd, from, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if errors.Is(err, unix.EAGAIN) {
		return -1, ErrAgain
	}
	if err != nil {
		return -1, err
	}
	if _, ok := from.(*unix.SockaddrUnix); ok {
		return fd, nil
	}
	return fd, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

// Address is a place to connect to, parsed once.
type Address struct{ to *unix.SockaddrInet4 }

// ParseAddress parses an IPv4 address and a port.
func ParseAddress(address string) (Address, error) {
	to, err := socketAddress(address)
	return Address{to}, err
}

// Connect begins a connection, which is ready when it can be written: on loopback,
// at once.
func Connect(address Address) (int, error) { return ConnectWindow(address, 0) }

// ConnectWindow is Connect with room for about window bytes that were not read yet; 0
// leaves that to the system.
func ConnectWindow(address Address, window int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err == nil && window > 0 {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, window)
	}
	if err == nil {
		err = unix.Connect(fd, address.to)
		if err == nil || errors.Is(err, unix.EINPROGRESS) {
			return fd, nil
		}
	}
	unix.Close(fd)
	return -1, fmt.Errorf("connect: %w", err)
}

// Read reads into b: io.EOF at the end, ErrAgain when nothing has come.
func Read(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return received(int(n), errno)
}

// Discard takes up to n bytes that have come and copies them nowhere.
func Discard(fd, n int) (int, error) {
	got, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), 0, uintptr(n), unix.MSG_TRUNC, 0, 0)
	return received(int(got), errno)
}

func received(n int, errno unix.Errno) (int, error) {
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, ErrAgain
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write writes the beginning of b that there is room for; ErrAgain when there is none.
func Write(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		unix.MSG_NOSIGNAL, 0, 0)
	return sent(int(n), errno)
}

// WriteFile writes n bytes of file from offset on as Write does, without a copy.
func WriteFile(fd, file int, offset int64, n int) (int, error) {
	got, _, errno := unix.RawSyscall6(unix.SYS_SENDFILE, uintptr(fd), uintptr(file),
		uintptr(unsafe.Pointer(&offset)), uintptr(n), 0, 0)
	return sent(int(got), errno)
}

func sent(n int, errno unix.Errno) (int, error) {
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR || errno == unix.ENOTCONN:
		return 0, ErrAgain
	case errno != 0:
		return 0, errno
	}
	return n, nil
}

// Close closes a socket.
func Close(fd int) { unix.Close(fd) }

// Reset closes a socket so that nothing of it stays, not even its port.
func Reset(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	unix.Close(fd)
}

// MemoryFile returns a file in memory of n bytes.
func MemoryFile(n int) (int, error) {
	fd, err := unix.MemfdCreate("bench", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, err
	}
	block := []byte(strings.Repeat("0123456789abcdef", 4096))
	for n > 0 {
		wrote, err := unix.Write(fd, block[:min(n, len(block))])
		if err != nil {
			return -1, err
		}
		n -= wrote
	}
	return fd, nil
}

// LocalAddress is where a listener listens.
func LocalAddress(fd int) (string, error) {
	local, err := unix.Getsockname(fd)
	if err != nil {
		return "", err
	}
	at, ok := local.(*unix.SockaddrInet4)
	if !ok {
		return "", fmt.Errorf("address %v is not IPv4", local)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(at.Addr), uint16(at.Port)).String(), nil
}
