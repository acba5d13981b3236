package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"syscall"
	"testing"

	"upfront/dial"
)

func TestTunnel_noticesThatEitherMachineIsGone(t *testing.T) {
	for _, secure := range []bool{false, true} {
		ca := newAuthority(t)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		o := dial.Options{Address: ln.Addr().String()}
		if secure {
			ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{ca.issue("localhost")}})
			o.TLS = &dial.TLS{CA: ca.file()}
		}
		newRawTargetOn(t, ln, func(c net.Conn, r *bufio.Reader) {
			_, _ = readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			_, _ = io.Copy(io.Discard, r)
		})
		r := newRig(t, Settings{}, serviceOver(o))
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
		w.head()
		eventually(t, "there is a tunnel", func() bool {
			r.server.mu.Lock()
			defer r.server.mu.Unlock()
			return len(r.server.tunnels) == 1
		})
		r.server.mu.Lock()
		for tunnel := range r.server.tunnels {
			for side, conn := range map[string]net.Conn{"client": tunnel.client.system(), "target": tunnel.target.system()} {
				raw, err := conn.(*net.TCPConn).SyscallConn()
				if err != nil {
					t.Fatal(err)
				}
				_ = raw.Control(func(fd uintptr) {
					ms, _ := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout)
					if idle, _ := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE); ms != 60_000 || idle != 30 {
						t.Errorf("%s, TLS to the target: %v: got %d ms and %d s, want 60000 and 30", side, secure, ms, idle)
					}
				})
			}
		}
		r.server.mu.Unlock()
		_ = w.Close()
	}
}
