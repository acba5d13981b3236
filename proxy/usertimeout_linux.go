package proxy

import (
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT, which package syscall lacks.
const tcpUserTimeout = 0x12

// setUserTimeout bounds how long what was sent may stay without an answer. Keep-alive
// asks only while nothing is on its way: without this, a target's pings would keep the
// connection to a dead client for a quarter of an hour.
func setUserTimeout(fd uintptr, d time.Duration) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d.Milliseconds()))
}
