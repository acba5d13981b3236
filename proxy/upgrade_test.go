package proxy

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

const (
	upgradeRequest = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	upgradeAnswer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

// tunnelled is a target that switches protocols and then does as it is told.
func tunnelled(t *testing.T, early string, then func(c net.Conn, r *bufio.Reader)) *rawTarget {
	return newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		head, err := readHead(r)
		if err != nil {
			return
		}
		for _, want := range []string{"Connection: Upgrade\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"} {
			if !strings.Contains(head, want) {
				t.Errorf("request lacks %q:\n%s", want, head)
			}
		}
		_, _ = io.WriteString(c, upgradeAnswer+early)
		then(c, r)
	})
}

// upgrade makes a tunnel; early is sent with the request.
func (r *rig) upgrade(early string) *wire {
	r.t.Helper()
	w := r.wire()
	w.send(upgradeRequest + early)
	head := w.head()
	for _, want := range []string{"HTTP/1.1 101 Switching Protocols\r\n", "Connection: Upgrade\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"} {
		if !strings.Contains(head, want) {
			r.t.Fatalf("head lacks %q:\n%s", want, head)
		}
	}
	return w
}

func echo(c net.Conn, r *bufio.Reader) { _, _ = io.Copy(c, r) }

func TestTunnel_carriesBothWays(t *testing.T) {
	target := tunnelled(t, "early from target", echo)
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.upgrade("early from client")
	w.exactly("early from target")
	w.exactly("early from client")
	for range 20 {
		b := string(payload(50_000))
		w.send(b)
		w.exactly(b)
	}
	w.closeWrite()
	w.ends(true)
	eventually(t, "the tunnel is gone", func() bool { return r.server.Counters()["upfront_tunnels"] == 0 })
	if got := r.server.counters.Upgrades.Load(); got != 1 {
		t.Errorf("counted %d tunnels", got)
	}
}

func TestTunnel_passesOnAllThatCameWithTheRequest(t *testing.T) {
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		for {
			head, err := readHead(r)
			if err != nil {
				return
			}
			if strings.HasPrefix(head, "GET /ws ") {
				_, _ = io.WriteString(c, upgradeAnswer)
				echo(c, r)
				return
			}
			_, _ = io.WriteString(c, ok("x"))
		}
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	// A large head makes the buffer grow, and the next request finds room behind
	// it for more early data than a body's buffer holds.
	early := string(payload(60_000))
	w.send("GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + strings.Repeat("x", 40_000) + "\r\n\r\n" + upgradeRequest + early)
	w.receive("GET")
	w.head()
	w.exactly(early)
}

func TestTunnel_carriesTheOtherHalfOn(t *testing.T) {
	t.Run("client is done", func(t *testing.T) {
		target := tunnelled(t, "", func(c net.Conn, r *bufio.Reader) {
			b, _ := io.ReadAll(r) // until the client's end
			_, _ = c.Write(bytes.ToUpper(b))
		})
		r := newRig(t, Settings{}, newService(target.addr))
		w := r.upgrade("")
		w.send("hello")
		w.closeWrite()
		w.exactly("HELLO")
		w.ends(true)
	})
	t.Run("target is done", func(t *testing.T) {
		got := make(chan string, 1)
		target := tunnelled(t, "bye", func(c net.Conn, r *bufio.Reader) {
			_ = c.(*net.TCPConn).CloseWrite()
			b, _ := io.ReadAll(r)
			got <- string(b)
		})
		r := newRig(t, Settings{}, newService(target.addr))
		w := r.upgrade("")
		w.exactly("bye")
		w.ends(true)
		w.send("still here")
		_ = w.Close()
		if b := next(t, got); b != "still here" {
			t.Fatalf("target got %q", b)
		}
	})
}

func TestTunnel_endsWithEitherSide(t *testing.T) {
	gone := make(chan struct{}, 1)
	target := tunnelled(t, "", func(_ net.Conn, r *bufio.Reader) {
		_, _ = io.Copy(io.Discard, r)
		gone <- struct{}{}
	})
	r := newRig(t, Settings{}, newService(target.addr))
	r.upgrade("").reset()
	next(t, gone)
	_ = r.upgrade("").Close()
	next(t, gone)
	eventually(t, "the tunnels are gone", func() bool { return r.server.Counters()["upfront_tunnels"] == 0 })
}

func TestTunnel_endsWhenBothAreSilent(t *testing.T) {
	target := tunnelled(t, "", echo)
	r := newRig(t, Settings{TunnelTimeout: 50 * time.Millisecond}, newService(target.addr))
	w := r.upgrade("")
	for range 10 { // a side that talks keeps the other open
		w.send("x")
		w.exactly("x")
	}
	_, _ = io.ReadAll(w.r)
	eventually(t, "the tunnel is gone", func() bool { return r.server.Counters()["upfront_tunnels"] == 0 })
}

func TestServer_refusesASwitchThatNobodyAskedFor(t *testing.T) {
	for _, c := range []struct{ name, request, answer string }{
		{"plain request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", upgradeAnswer},
		{"to another protocol", upgradeRequest, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"},
		{"without Upgrade", upgradeRequest, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n"},
		{"without Connection", upgradeRequest, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"},
		{"answer in HTTP/1.0", upgradeRequest, strings.Replace(upgradeAnswer, "1.1", "1.0", 1)},
		{"HTTP/1.0", strings.Replace(upgradeRequest, "1.1", "1.0", 1), upgradeAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Settings{}, newService(answering(t, c.answer).addr))
			w := r.wire()
			w.send(c.request)
			if res, _ := w.receive("GET"); res.StatusCode != 502 {
				t.Fatalf("got %d, want 502", res.StatusCode)
			}
		})
	}
}

func TestServer_switchesThoughABodyIsAnnounced(t *testing.T) {
	// RFC 9112 §6.3: a 1xx ends at its empty line, whatever it says.
	for _, framing := range []string{"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"} {
		answer := strings.Replace(upgradeAnswer, "\r\n\r\n", "\r\n"+framing+"\r\n", 1)
		r := newRig(t, Settings{}, newService(scripted(t, func(_ string, c net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(c, answer+"bytes of the tunnel")
		}).addr))
		w := r.wire()
		w.send(upgradeRequest)
		if head := w.head(); strings.Contains(head, framing) || !strings.HasPrefix(head, "HTTP/1.1 101 ") {
			t.Errorf("got %q", head)
		}
		w.exactly("bytes of the tunnel")
	}
}

func TestServer_passesWebSocketUpgradesOnly(t *testing.T) {
	heads := make(chan string, 1)
	target := scripted(t, func(head string, c net.Conn, _ *bufio.Reader) {
		heads <- head
		_, _ = io.WriteString(c, ok(""))
	})
	r := newRig(t, Settings{}, newService(target.addr))
	for _, fields := range []string{
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
		"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
		"Upgrade: websocket\r\n",
	} {
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n")
		w.receive("GET")
		head := strings.ToLower(next(t, heads))
		for _, bad := range []string{"upgrade", "h2c", "http2-settings"} {
			if strings.Contains(head, bad) {
				t.Errorf("%q: target was shown %q:\n%s", fields, bad, head)
			}
		}
	}
}

func TestServer_answersOnWhenTheTargetDoesNotSwitch(t *testing.T) {
	r := newRig(t, Settings{}, newService(answering(t, ok("no")).addr))
	w := r.wire()
	for range 2 {
		w.send(upgradeRequest)
		if res, body := w.receive("GET"); res.StatusCode != 200 || body != "no" {
			t.Fatalf("got %d %q", res.StatusCode, body)
		}
	}
}

// drained drains the only target at once and returns how many exchanges were cut.
func (r *rig) drained() <-chan int {
	cut := make(chan int, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	go func() { cut <- r.svc.Pool.Targets()[0].Drain(ctx) }()
	return cut
}

func TestTunnel_saysGoodbyeBetweenTwoFrames(t *testing.T) {
	whole := frame(2, 100_000, false)
	for _, c := range []struct {
		name         string
		before, rest []byte
	}{
		{"idle", nil, nil},
		{"after a frame", whole, nil},
		{"inside a big frame", whole[:70_000], whole[70_000:]},
		{"inside a frame's head", whole[:5], whole[5:]},
		{"with more frames behind", whole[:70_000], bytes.Join([][]byte{whole[70_000:], frame(1, 5, false), frame(1, 6, false)}, nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			goOn, answered := make(chan struct{}), make(chan string, 1)
			target := tunnelled(t, string(c.before), func(conn net.Conn, r *bufio.Reader) {
				next(t, goOn)
				_, _ = conn.Write(c.rest)
				b, _ := io.ReadAll(r)
				answered <- string(b)
			})
			r := newRig(t, Settings{}, newService(target.addr))
			w := r.upgrade("")
			w.exactly(string(c.before))
			cut := r.drained()
			r.isEnding()
			close(goOn)
			if len(c.rest) > 0 {
				w.exactly(string(whole[len(c.before):]))
			}
			w.exactly(string(goingAway))
			answer := string(frame(opClose, 2, true))
			w.send(answer)
			if got := next(t, answered); got != answer {
				t.Errorf("target got %q, want the client's close frame", got)
			}
			w.ends(true)
			if n := next(t, cut); n != 1 {
				t.Errorf("drain cut %d exchanges, want 1", n)
			}
		})
	}
}

func TestTunnel_endsDuringAStreamThatNeverRests(t *testing.T) {
	target := tunnelled(t, "", func(c net.Conn, r *bufio.Reader) {
		b := frame(2, 9_999, false)
		for {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.upgrade("")
	if _, err := io.CopyN(io.Discard, w.r, 10_003*3); err != nil {
		t.Fatal(err)
	}
	cut := r.drained()
	for {
		var head [4]byte
		if _, err := io.ReadFull(w.r, head[:]); err != nil {
			t.Fatalf("stream ended without goodbye: %v", err)
		}
		if bytes.Equal(head[:], goingAway) {
			break
		}
		if _, err := w.r.Discard(9_999); err != nil {
			t.Fatalf("stream ended inside a frame: %v", err)
		}
	}
	w.ends(true)
	next(t, cut)
}

func TestTunnel_isCutWhenAFrameNeverEnds(t *testing.T) {
	target := tunnelled(t, string(frame(2, 1000, false)[:500]), func(_ net.Conn, r *bufio.Reader) { _, _ = r.ReadByte() })
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.upgrade("")
	w.exactly(string(frame(2, 1000, false)[:500]))
	cut := r.drained()
	_, _ = io.ReadAll(w.r)
	next(t, cut)
}
