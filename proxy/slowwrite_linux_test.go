package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"upfront/service"
)

// slowly is a connection that is read 1 KB at a time, and not all the time.
type slowly struct {
	*net.TCPConn
	pause *time.Ticker
	fast  atomic.Bool
}

func (c *slowly) Read(b []byte) (int, error) {
	if c.fast.Load() {
		return c.TCPConn.Read(b)
	}
	<-c.pause.C
	return c.TCPConn.Read(b[:min(len(b), 1<<10)])
}

// withLittleRoom makes the system hold little for who reads from a socket.
func withLittleRoom(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) })
}

func newSlowly(t *testing.T, conn net.Conn) *slowly {
	pause := time.NewTicker(20 * time.Millisecond)
	t.Cleanup(pause.Stop)
	return &slowly{TCPConn: conn.(*net.TCPConn), pause: pause}
}

// slowWire is a client that reads slowly until it is told to be fast.
func (r *rig) slowWire() (*wire, *slowly) {
	r.t.Helper()
	dialer := net.Dialer{Control: withLittleRoom}
	plain, err := dialer.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = plain.Close() })
	_ = plain.SetDeadline(time.Now().Add(20 * time.Second))
	slow := newSlowly(r.t, plain)
	var conn net.Conn = slow
	if r.client != nil {
		conn = tls.Client(slow, r.client)
	}
	return &wire{Conn: conn, r: bufio.NewReaderSize(conn, 16), t: r.t}, slow
}

// slowSize is more than the kernel takes, and slowPart what is read of it slowly: less
// than makes room for a writer, and for longer than slowTimeout.
const (
	slowSize    = 4 << 20
	slowPart    = 40 << 10
	slowTimeout = 500 * time.Millisecond
)

// answersOf are the ways of a large answer to a client.
func answersOf(t *testing.T, serve func(t *testing.T, svc *service.Service, body []byte, skip int)) {
	body := payload(slowSize)
	for _, c := range []struct {
		name, head string
		buffered   bool
	}{
		{"of known length", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", slowSize), false},
		{"buffered", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", slowSize), true},
		{"in chunks", fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", slowSize), false},
		{"of a tunnel", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := newRawTarget(t, func(conn net.Conn, r *bufio.Reader) {
				if _, err := readHead(r); err != nil {
					return
				}
				_, _ = io.WriteString(conn, c.head)
				_, _ = conn.Write(body)
				_, _ = io.WriteString(conn, "\r\n0\r\n\r\n")
				_, _ = io.Copy(io.Discard, r)
			})
			svc := newService(target.addr)
			if c.buffered {
				svc = leading(target.addr)
			}
			skip := 0
			if c.head[len(c.head)-4:] != "\r\n\r\n" {
				skip = len(fmt.Sprintf("%x\r\n", slowSize))
			}
			serve(t, svc, body, skip)
		})
	}
}

const asksForAnything = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

func TestServer_bearsClientsThatReadSlowlyAllTheTime(t *testing.T) {
	answersOf(t, func(t *testing.T, svc *service.Service, body []byte, skip int) {
		r := newRig(t, Settings{BodyTimeout: slowTimeout}, svc)
		w, slow := r.slowWire()
		w.send(asksForAnything)
		w.head()
		got := make([]byte, skip+slowSize)
		n, err := io.ReadFull(w.r, got[:slowPart])
		if err != nil {
			t.Fatalf("connection ended after %d bytes: %v", n, err)
		}
		slow.fast.Store(true)
		m, err := io.ReadFull(bufio.NewReaderSize(w.r, 64<<10), got[n:])
		if err != nil {
			t.Fatalf("connection ended after %d bytes: %v", n+m, err)
		}
		if !bytes.Equal(got[skip:], body) {
			t.Error("the answer is not what the target sent")
		}
	})
}

func TestServer_givesUpOnClientsThatStopReading(t *testing.T) {
	answersOf(t, func(t *testing.T, svc *service.Service, _ []byte, _ int) {
		r := newRig(t, Settings{BodyTimeout: slowTimeout / 5}, svc)
		w, _ := r.slowWire()
		w.send(asksForAnything)
		w.head()
		eventually(t, "the client is given up", func() bool {
			r.server.mu.Lock()
			defer r.server.mu.Unlock()
			return len(r.server.seats.clients) == 0
		})
	})
}

func TestServer_bearsTargetsThatReadSlowly(t *testing.T) {
	ln, err := (&net.ListenConfig{Control: withLittleRoom}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	want, same := payload(slowSize), make(chan bool, 1)
	target := newRawTargetOn(t, ln, func(conn net.Conn, _ *bufio.Reader) {
		slow := newSlowly(t, conn)
		r := bufio.NewReaderSize(slow, 16)
		if _, err := readHead(r); err != nil {
			return
		}
		got := make([]byte, slowSize)
		n, _ := io.ReadFull(r, got[:slowPart])
		slow.fast.Store(true)
		_, _ = io.ReadFull(bufio.NewReaderSize(r, 64<<10), got[n:])
		same <- bytes.Equal(got, want)
		_, _ = io.WriteString(conn, ok("took it"))
	})
	r := newRig(t, Settings{BodyTimeout: slowTimeout}, newService(target.addr))
	w := r.wire()
	w.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", slowSize))
	go func() { _, _ = w.Write(want) }()
	if res, body := w.receive("POST"); res.StatusCode != 200 {
		t.Fatalf("got %d %q", res.StatusCode, body)
	}
	if !next(t, same) {
		t.Error("the body is not what the client sent")
	}
}
