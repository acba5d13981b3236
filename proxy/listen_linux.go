package proxy

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ListenConfig is how to listen for clients. What package net would set on every
// connection it sets once, on the listener: on Linux connections inherit it, but not
// from a listener of Multipath TCP, which package net would make and which costs every
// connection more.
func ListenConfig() net.ListenConfig {
	config := net.ListenConfig{KeepAlive: -1, Control: inherited}
	config.SetMultipathTCP(false)
	return config
}

// silentAsk is after how long a silent client is asked whether it is there, and how
// often; package net's own values.
const (
	silentAsk  = 15 * time.Second
	silentAsks = 9
)

func inherited(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		for _, o := range [...]struct{ level, name, value int }{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(silentAsk / time.Second)},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(silentAsk / time.Second)},
			{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, silentAsks},
		} {
			if failed = unix.SetsockoptInt(int(fd), o.level, o.name, o.value); failed != nil {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return failed
}
