package proxy

import (
	"time"

	"golang.org/x/sys/unix"
)

// unacked returns how many of the bytes that were written to fd the peer's kernel
// has not acknowledged.
func unacked(fd uintptr) int {
	n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}

// taken returns a number that changes when the peer takes something of what was written
// to fd: how many bytes it has acknowledged, where there is TCP.
func taken(fd uintptr) uint64 {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return uint64(unacked(fd))
	}
	return info.Bytes_acked
}

// roundTrip returns how long a packet to the peer of fd and its answer take, as
// measured at the handshake.
func roundTrip(fd uintptr) time.Duration {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return time.Duration(info.Rtt) * time.Microsecond
}
