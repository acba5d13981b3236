package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"upfront/proxy/http2"
)

// The reader of net/http outlives it: the end of the connection is ours to read.
func TestHTTP2_nothingIsReadBehindTheEnd(t *testing.T) {
	c := &client{}
	client, conn := net.Pipe()
	c.init(conn)
	h := &http2Conn{Conn: conn, c: c, in: make([]byte, headBuffer), watch: http2.NewWatch(1<<10, false, time.Now)}
	var reader, sender sync.WaitGroup
	reader.Go(func() {
		for n := 1; n > 0; {
			n, _ = h.Read(make([]byte, 9))
		}
	})
	h.end()
	reader.Wait()
	sender.Go(func() { _, _ = io.WriteString(client, "last words") })
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := h.Read(make([]byte, 9)); n > 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("net/http read %d bytes, %v, want %v", n, err, net.ErrClosed)
	}
	got := make([]byte, len("last words"))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "last words" {
		t.Errorf("got %q, %v", got, err)
	}
	sender.Wait()
}
