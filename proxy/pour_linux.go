package proxy

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// discard makes the kernel drop the bytes instead of copying them.
const discard = syscall.MSG_TRUNC

// maxUnsent is how much of an answer the kernel may hold for a client beyond what
// is under way to it. Without a bound it is up to 4 MB a client, however slowly it
// reads, and one that reads slowly is waited for until a third of them is gone.
const maxUnsent = 128 << 10

// boundUnsent sets maxUnsent on a connection, or on a listener for the connections to
// come, and reports whether there was a TCP socket to set it on: what connections get
// from another one is not known. A kernel that cannot goes without.
func boundUnsent(conn any) bool {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	plain := false
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
		protocol, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
		plain = err == nil && protocol == unix.IPPROTO_TCP
	})
	return plain
}
