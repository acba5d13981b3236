package proxy

import (
	"bufio"
	"io"
	"net"
	"testing"
)

// What of a body has not come is no reason to give a request up: RFC 9110 §9.2.2.
func TestRetry_whereNothingOfAnUploadHasComeYet(t *testing.T) {
	ways := map[string]func(r *rig, begun func()) string{
		"HTTP/1": func(r *rig, begun func()) string {
			w := r.wire()
			w.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
			begun()
			w.send("5\r\nhello\r\n0\r\n\r\n")
			res, _ := w.receive("PUT")
			return res.Status[:3]
		},
		"HTTP/2": func(r *rig, begun func()) string {
			w := r.h2wire()
			w.headers(1, false, ":method: PUT", ":scheme: http", ":path: /", ":authority: a.example")
			begun()
			w.data(1, true, "hello")
			return w.answer(1).status
		},
	}
	for way, put := range ways {
		t.Run(way, func(t *testing.T) {
			heads, bodies := make(chan string, 10), make(chan string, 10)
			dies := newRawTarget(t, func(_ net.Conn, r *bufio.Reader) {
				_, _ = readHead(r)
				heads <- "dies"
			})
			lives := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
				_, _ = readHead(r)
				heads <- "lives"
				body := make([]byte, len("5\r\nhello\r\n0\r\n\r\n"))
				n, _ := io.ReadFull(r, body)
				bodies <- string(body[:n])
				_, _ = io.WriteString(c, ok("done"))
			})
			r := newRig(t, speaksHTTP2, newService(dies.addr, lives.addr))
			tried := false
			for range 2 { // one of the two begins with the target that dies
				status := put(r, func() {
					if next(t, heads) == "dies" {
						tried = true
						next(t, heads)
					}
				})
				if status != "200" {
					t.Errorf("status = %s, want 200", status)
				}
				if body := next(t, bodies); body != "5\r\nhello\r\n0\r\n\r\n" {
					t.Errorf("body = %q", body)
				}
			}
			if !tried {
				t.Error("the target that dies was never asked")
			}
		})
	}
}
