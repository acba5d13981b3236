package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// BenchmarkServer sends requests through a server, with clients and a target in the
// same process. `make pgo` takes its profile from here: what the proxy does often
// should be in it in the proportions of a busy day.
func BenchmarkServer(b *testing.B) {
	const get = "GET /some/path?q=1 HTTP/1.1\r\nHost: app.test\r\nUser-Agent: bench\r\nAccept: */*\r\n" +
		"Accept-Encoding: gzip\r\nAccept-Language: en\r\nCookie: session=0123456789abcdef\r\n%s\r\n"
	small, large := strings.Repeat("x", 300), strings.Repeat("x", 20<<10)
	chunked := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n12c\r\n" + small + "\r\n0\r\n\r\n"
	for _, bench := range []struct {
		name, request, answer string
		once                  bool
	}{
		{"get", fmt.Sprintf(get, ""), ok(small), false},
		{"get-20KB", fmt.Sprintf(get, ""), ok(large), false},
		{"get-chunked", fmt.Sprintf(get, ""), chunked, false},
		{"new-connection", fmt.Sprintf(get, "Connection: close\r\n"), ok(small), true},
		{"post", "POST /form HTTP/1.1\r\nHost: app.test\r\nContent-Length: 300\r\n\r\n" + small, ok(small), false},
	} {
		b.Run(bench.name, func(b *testing.B) {
			addr := serveBench(b, []byte(bench.answer))
			b.ReportAllocs()
			b.SetParallelism(16)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				c := benchClient{addr: addr, request: []byte(bench.request), last: []byte(bench.answer[len(bench.answer)-5:])}
				for pb.Next() {
					if err := c.ask(bench.once); err != nil {
						b.Error(err)
						return
					}
				}
				c.close()
			})
		})
	}
}

// serveBench runs a server in front of a target that answers every request with
// answer, and returns its address.
func serveBench(b *testing.B, answer []byte) string {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			c, err := target.Accept()
			if err != nil {
				return
			}
			go answerAll(c, answer)
		}
	}()
	svc := newService(target.Addr().String())
	server := New(Options{Routes: &fixedRoutes{svc: svc, prefix: "/"}})
	served := make(chan error)
	go func() { served <- server.Serve(ln) }()
	b.Cleanup(func() {
		end, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		_ = server.Shutdown(end)
		svc.Pool.Targets()[0].Close()
		_ = target.Close()
		if err := <-served; err != nil {
			b.Error(err)
		}
	})
	return ln.Addr().String()
}

func answerAll(c net.Conn, answer []byte) {
	defer c.Close()
	var b [8 << 10]byte
	for {
		if _, err := c.Read(b[:]); err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// benchClient asks on one connection, or on a new one every time.
type benchClient struct {
	addr          string
	request, last []byte // the last bytes of an answer
	conn          net.Conn
	buf           [32 << 10]byte
}

func (c *benchClient) ask(once bool) error {
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.addr)
		if err != nil {
			return err
		}
		c.conn = conn
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	for have := 0; ; {
		n, err := c.conn.Read(c.buf[have:])
		if err != nil {
			return err
		}
		if have += n; have > 300 && bytes.HasSuffix(c.buf[:have], c.last) {
			break
		}
		if have == len(c.buf) {
			return io.ErrShortBuffer
		}
	}
	if once {
		c.close()
	}
	return nil
}

func (c *benchClient) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}
