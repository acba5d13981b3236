package proxy

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

const tcpAnswer = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

// tcpRig is a server that lets tcp through, before a target that switches to it.
func tcpRig(t *testing.T, then func(head string, c net.Conn, r *bufio.Reader)) *rig {
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		head, err := readHead(r)
		if err == nil {
			then(head, c, r)
		}
	})
	return newRig(t, Settings{Upgrades: []string{"SPDY/3.1", "tcp"}}, newService(target.addr))
}

func TestServer_switchesToAProtocolThatIsConfigured(t *testing.T) {
	r := tcpRig(t, func(head string, c net.Conn, r *bufio.Reader) {
		if !strings.Contains(head, "\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n") {
			t.Errorf("target was not asked for tcp:\n%s", head)
		}
		_, _ = io.WriteString(c, tcpAnswer+"hello")
		b, _ := io.ReadAll(r)
		_, _ = c.Write(b)
	})
	w := r.wire()
	w.send("POST /attach HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: TCP\r\n\r\nearly ")
	if head := w.head(); !strings.HasPrefix(head, "HTTP/1.1 101 UPGRADED\r\n") || !strings.Contains(head, "Upgrade: tcp\r\n") {
		t.Fatalf("got %q", head)
	}
	w.exactly("hello")
	w.send("late")
	w.closeWrite()
	w.exactly("early late")
	w.ends(true)
}

func TestServer_switchesBehindABody(t *testing.T) {
	for _, c := range []struct{ name, with, later string }{
		{"with the head", "{}early", ""},
		{"in two pieces", "{", "}early"},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := make(chan struct{})
			r := tcpRig(t, func(_ string, c net.Conn, r *bufio.Reader) {
				_, _ = r.ReadByte()
				close(began)
				_, _ = r.ReadByte()
				_, _ = io.WriteString(c, tcpAnswer)
				echo(c, r)
			})
			w := r.wire()
			w.send("POST /exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n" + c.with)
			next(t, began)
			w.send(c.later)
			w.head()
			w.exactly("early")
		})
	}
}

func TestServer_refusesASwitchBeforeTheBodyIsThere(t *testing.T) {
	r := tcpRig(t, func(_ string, c net.Conn, r *bufio.Reader) {
		_, _ = io.WriteString(c, tcpAnswer)
		_, _ = io.Copy(io.Discard, r)
	})
	w := r.wire()
	w.send("POST /exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{")
	if res, _ := w.receive("POST"); res.StatusCode != 502 {
		t.Errorf("got %d, want 502", res.StatusCode)
	}
}

func TestServer_refusesASwitchToAnotherProtocolThanWasAskedFor(t *testing.T) {
	for _, c := range []struct{ asked, answered string }{
		{"tcp", "websocket"}, {"tcp", "SPDY/3.1"}, {"tcp", "tcp, h2c"}, {"tcp", "tcp/1"}, {"SPDY/3.1", "SPDY/3"}, {"h2c", "tcp"},
	} {
		t.Run(c.asked+" "+c.answered, func(t *testing.T) {
			r := tcpRig(t, func(_ string, conn net.Conn, _ *bufio.Reader) {
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+c.answered+"\r\n\r\n")
			})
			w := r.wire()
			w.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: " + c.asked + "\r\n\r\n")
			if res, _ := w.receive("GET"); res.StatusCode != 502 {
				t.Errorf("got %d, want 502", res.StatusCode)
			}
		})
	}
}

func TestServer_passesOnWhatA426Offers(t *testing.T) {
	for _, c := range []struct {
		status, offered string
		kept            bool
	}{
		{"426 Upgrade Required", "websocket", true},
		{"426 Upgrade Required", "tcp", true},
		{"426 Upgrade Required", "h2c", false},
		{"426 Upgrade Required", "websocket, h2c", false},
		{"200 OK", "websocket", false}, // hop-by-hop: not an offer of ours
	} {
		t.Run(c.status+" "+c.offered, func(t *testing.T) {
			r := tcpRig(t, func(_ string, conn net.Conn, _ *bufio.Reader) {
				_, _ = io.WriteString(conn, "HTTP/1.1 "+c.status+"\r\nConnection: Upgrade\r\nUpgrade: "+c.offered+"\r\nContent-Length: 0\r\n\r\n")
			})
			w := r.wire()
			w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			head := w.head()
			if got := strings.Contains(head, "Connection: Upgrade\r\nUpgrade: "+c.offered+"\r\n"); got != c.kept {
				t.Errorf("got %q, want the offer: %v", head, c.kept)
			}
			if !c.kept && strings.Contains(head, "Upgrade:") {
				t.Errorf("got %q", head)
			}
		})
	}
}

func TestTunnel_ofAnotherProtocolEndsAtADrainWithoutAWord(t *testing.T) {
	target := make(chan error, 1)
	r := tcpRig(t, func(_ string, c net.Conn, r *bufio.Reader) {
		_, _ = io.WriteString(c, tcpAnswer+"\x82\x7f") // looks like a frame that never ends
		_, err := r.ReadByte()
		target <- err
	})
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	w.head()
	w.exactly("\x82\x7f")
	cut := r.drained()
	w.ends(true)
	if err := next(t, target); err == nil {
		t.Error("target was sent something")
	}
	if n := next(t, cut); n != 1 {
		t.Errorf("drain cut %d exchanges, want 1", n)
	}
}
