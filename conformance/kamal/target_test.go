package kamal

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// target is an app that is healthy at /up and answers the rest as it is told.
type target struct {
	address string
	server  *http.Server
	probes  atomic.Int64
	open    atomic.Int64 // connections
	seen    chan *http.Request
}

// startTarget starts an app; handle nil answers with name.
func startTarget(t *testing.T, name string, handle http.HandlerFunc) *target {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &target{address: ln.Addr().String(), seen: make(chan *http.Request, 4096)}
	mux := http.NewServeMux()
	mux.HandleFunc("/up", func(http.ResponseWriter, *http.Request) { a.probes.Add(1) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.note(r)
		if handle != nil {
			handle(w, r)
			return
		}
		_, _ = io.WriteString(w, name)
	})
	a.server = &http.Server{Handler: mux, ConnState: func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			a.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			a.open.Add(-1)
		default:
		}
	}}
	done := make(chan struct{})
	go func() {
		_ = a.server.Serve(ln)
		close(done)
	}()
	t.Cleanup(func() {
		_ = a.server.Close()
		<-done
	})
	return a
}

func (a *target) note(r *http.Request) {
	select {
	case a.seen <- r:
	default:
	}
}

// last is the request that the app saw.
func (a *target) last(t *testing.T) *http.Request {
	t.Helper()
	select {
	case r := <-a.seen:
		return r
	default:
		t.Fatal("the target saw no request")
		return nil
	}
}

// startRaw starts an app that is scripted by the byte; it answers /up well, and
// whatever else with raw, then closes.
func startRaw(t *testing.T, raw string) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				answer := raw
				if r.URL.Path == "/up" {
					answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
				}
				_, _ = io.WriteString(conn, answer)
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		running.Wait()
	})
	return ln.Addr().String()
}

// ask makes one request on a connection of its own, and nothing that the caller does
// not say: no Accept-Encoding.
func ask(ctx context.Context, address, method, host, path string, body io.Reader, fields ...string) (a answer) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+address, body)
	if err != nil {
		return answer{err: err}
	}
	r.URL.Opaque = path // as it is, encoded or not
	r.Host = host
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	res, err := transport.RoundTrip(r)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, string(text), res.Header, err}
}
