package proxy

import (
	"syscall"
	"testing"
)

// options reads options of a connection's socket.
func options(t *testing.T, s *socket, level int, names ...int) (values []int) {
	t.Helper()
	err := s.raw.Control(func(fd uintptr) {
		for _, name := range names {
			v, err := syscall.GetsockoptInt(int(fd), level, name)
			if err != nil {
				t.Errorf("getsockopt %d: %v", name, err)
			}
			values = append(values, v)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestTunnel_noticesThatAMachineIsGone(t *testing.T) {
	r := newRig(t, Settings{}, newService(tunnelled(t, "x", echo).addr))
	w := r.upgrade("")
	w.exactly("x")
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	for tunnel := range r.server.tunnels {
		for side, s := range map[string]*socket{"client": tunnel.client, "target": &tunnel.target.socket} {
			if on := options(t, s, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE); on[0] != 1 {
				t.Errorf("%s: keep-alive is off", side)
			}
			got := options(t, s, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, syscall.TCP_KEEPINTVL, syscall.TCP_KEEPCNT)
			if got[0] != 30 || got[1] != 10 || got[2] != 3 {
				t.Errorf("%s: got idle, interval, count %v", side, got)
			}
			if got := options(t, s, syscall.IPPROTO_TCP, tcpUserTimeout); got[0] != 60_000 {
				t.Errorf("%s: got a user timeout of %d ms", side, got[0])
			}
		}
	}
	if len(r.server.tunnels) != 1 {
		t.Errorf("got %d tunnels", len(r.server.tunnels))
	}
}
