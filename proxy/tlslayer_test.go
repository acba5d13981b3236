package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// halting is a connection that takes a few bytes before each deadline.
type halting struct {
	net.Conn
	took int // 0 for all
}

func (c *halting) Write(b []byte) (int, error) {
	if c.took == 0 || len(b) <= c.took {
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(b[:c.took])
	if err == nil {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

func TestTunnel_write_hasPatienceOverTLSToo(t *testing.T) {
	for _, size := range []int{2000, 32 << 10, 200_000} {
		near, far := net.Pipe()
		a := newAuthority(t)
		slow := &halting{Conn: near}
		layer := newTLSLayer(slow, &tls.Config{Certificates: []tls.Certificate{a.issue("a")}}, make(chan struct{}, 1))
		want := payload(size)
		came := make(chan []byte, 1)
		go func() {
			got := make([]byte, size)
			n, _ := io.ReadFull(tlsOver(far, a), got)
			came <- got[:n]
		}()
		if err := layer.tls.Handshake(); err != nil {
			t.Fatal(err)
		}
		slow.took = 900
		var s socket
		s.initTLS(layer)
		if err := (&tunnel{stall: time.Minute}).write(&s, want); err != nil {
			t.Errorf("client that takes 900 bytes a time was given up: %v", err)
			_ = near.Close()
		}
		if got := next(t, came); !bytes.Equal(got, want) {
			t.Errorf("got %d other bytes than the %d", len(got), len(want))
		}
		_, _ = near.Close(), far.Close()
	}
}
