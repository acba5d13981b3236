package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// waiting is a target that reports when a request has arrived, and when its
// connection has ended.
func waiting(t *testing.T) (target *rawTarget, asked, gone chan struct{}) {
	asked, gone = make(chan struct{}, 64), make(chan struct{}, 64)
	return newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		head, err := readHead(r)
		if err != nil {
			return
		}
		if strings.Contains(head, "/events") {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
		}
		asked <- struct{}{}
		_, _ = r.WriteTo(io.Discard)
		gone <- struct{}{}
	}), asked, gone
}

func TestServer_tellsTheTargetThatTheClientLeft(t *testing.T) {
	target, asked, gone := waiting(t)
	r := newRig(t, Settings{}, newService(target.addr))
	for name, request := range map[string]string{
		"waiting":  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"sending":  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello",
		"asking":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n",
		"sent":     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		"events":   "GET /events HTTP/1.1\r\nHost: a\r\n\r\n",
		"pipeline": "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		for _, reset := range []bool{false, true} {
			w := r.wire()
			w.send(request)
			next(t, asked)
			began := time.Now()
			if reset {
				w.reset()
			} else {
				_ = w.Close()
			}
			next(t, gone)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("%s, reset %v: target was told after %v", name, reset, took)
			}
		}
	}
	eventually(t, "all are forgotten", func() bool { return r.server.Counters()["upfront_connections"] == 0 })
	r.server.watch.mu.Lock()
	defer r.server.watch.mu.Unlock()
	if n := len(r.server.watch.clients); n != 0 {
		t.Errorf("%d clients are watched still", n)
	}
}

func TestServer_logsAClientThatLeftAs499(t *testing.T) {
	target, asked, _ := waiting(t)
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	next(t, asked)
	_ = w.Close()
	eventually(t, "it is logged", func() bool { return strings.Contains(r.log.String(), `"status":499`) })
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(list)
}

func TestServer_leaksNothingWhenClientsLeave(t *testing.T) {
	// Each client waits until the target has its own request, and later until the
	// target was told that it left.
	var asked, gone [1001]chan struct{}
	for n := range asked {
		asked[n], gone[n] = make(chan struct{}), make(chan struct{})
	}
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		head, err := readHead(r)
		if err != nil {
			return
		}
		n, _ := strconv.Atoi(strings.Fields(head)[1][1:])
		if n%3 == 0 {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
		}
		close(asked[n])
		_, _ = r.WriteTo(io.Discard)
		close(gone[n])
	})
	r := newRig(t, Settings{}, newService(target.addr))
	abort := func(n int) {
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Errorf("dial: %v", err)
			return
		}
		body := ""
		if n%3 == 1 {
			body = "Content-Length: 100\r\n"
		}
		_, _ = fmt.Fprintf(conn, "POST /%d HTTP/1.1\r\nHost: a\r\n%s\r\n", n, body)
		<-asked[n]
		if n%2 == 0 {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		_ = conn.Close()
		<-gone[n]
	}
	abort(1000)
	eventually(t, "the first is over", func() bool { return r.server.Counters()["upfront_connections"] == 0 })
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() {
			for n := range 250 {
				abort(i*250 + n)
			}
		})
	}
	clients.Wait()
	eventually(t, "all is as before", func() bool {
		return r.server.Counters()["upfront_connections"] == 0 &&
			runtime.NumGoroutine() <= goroutines+1 && descriptors(t) <= files+1
	})
}
