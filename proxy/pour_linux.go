package proxy

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// discard makes the kernel drop the bytes instead of copying them.
const discard = syscall.MSG_TRUNC

// maxUnsent is how much of an answer the kernel may hold for a client beyond what
// is under way to it. Without a bound it is up to 4 MB a client, however slowly it
// reads, and one that reads slowly is waited for until a third of them is gone,
// which may take longer than our patience.
const maxUnsent = 128 << 10

// boundUnsent sets maxUnsent; a kernel that cannot goes without.
func (s *socket) boundUnsent() {
	if s.raw != nil {
		_ = s.raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
		})
	}
}
