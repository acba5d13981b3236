//go:build !race

package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// lean serves raw for every read on every connection, without allocating.
func lean(t *testing.T, raw []byte) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		var b [4096]byte
		for {
			if _, err := c.Read(b[:]); err != nil {
				return
			}
			if _, err := c.Write(raw); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return ln.Addr().String()
}

func TestServer_allocatesNothingForAPlainRequest(t *testing.T) {
	t.Run("streamed", func(t *testing.T) { allocatesNothing(t, false, false) })
	t.Run("buffered", func(t *testing.T) { allocatesNothing(t, true, false) })
	t.Run("logged", func(t *testing.T) { allocatesNothing(t, false, true) })
}

func allocatesNothing(t *testing.T, buffered, logged bool) {
	svc := newService(lean(t, []byte(ok(strings.Repeat("x", 300)))))
	svc.BufferRequests, svc.BufferResponses, svc.BufferMemory = buffered, buffered, 1<<20
	r := newRig(t, Settings{}, svc)
	if !logged {
		r.server.accessLog = nil
	}
	r.log.silent.Store(true)
	w := r.wire()
	_ = w.SetDeadline(time.Time{})
	request := []byte("GET /some/path?q=1 HTTP/1.1\r\nHost: app.test\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n")
	answer := make([]byte, 4096)
	once := func() {
		if _, err := w.Write(request); err != nil {
			t.Fatal(err)
		}
		n, err := w.Conn.Read(answer)
		if err != nil || !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 200 OK\r\n")) {
			t.Fatalf("got %q, %v", answer[:n], err)
		}
	}
	for range 200 {
		once()
	}
	const requests = 10_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range requests {
		once()
	}
	runtime.ReadMemStats(&after)
	perRequest := float64(after.Mallocs-before.Mallocs) / requests
	t.Logf("%.3f allocations, %.1f bytes a request", perRequest, float64(after.TotalAlloc-before.TotalAlloc)/requests)
	if perRequest > 0.2 {
		t.Errorf("a request costs %.2f allocations in the process, want none", perRequest)
	}
}

func TestServer_holdsLittleForAnIdleConnection(t *testing.T) {
	svc := newService(httpTarget(t, mirror))
	r := newRig(t, Settings{}, svc)
	const conns = 1000
	var before, after runtime.MemStats
	request := fmt.Sprintf("POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", 5000, strings.Repeat("x", 5000))
	open := make([]net.Conn, conns)
	b := make([]byte, 16<<10)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range open {
		open[i] = r.dial()
		if _, err := io.WriteString(open[i], request); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < 5000; {
			got, err := open[i].Read(b)
			if err != nil {
				t.Fatal(err)
			}
			n += got
		}
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	// Both ends of the connection are in this process.
	each := float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse) / conns
	t.Logf("%.1f KB for both ends of an idle connection", each/1024)
	if each > 10<<10 {
		t.Errorf("an idle connection holds %.1f KB", each/1024)
	}
}
