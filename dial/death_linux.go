package dial

import (
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT, which package syscall lacks.
const tcpUserTimeout = 0x12

// deadAfter is how long what was sent may stay without an acknowledgement.
const deadAfter = 20 * time.Second

// noticeDeath has a connection that many exchanges share end soon after the target's
// machine is gone: until then all that come would be lost on it.
func noticeDeath(conn net.Conn) {
	if s, ok := conn.(*Secure); ok {
		conn = s.wire.Conn
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(deadAfter.Milliseconds()))
		})
	}
}
