package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"upfront/api"
)

// answerOn reads one answer from a raw connection.
func answerOn(t *testing.T, conn net.Conn) (int, api.Error) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, errorIn(t, string(body))
}

func TestServer_refusesMoreThanOneMebibyte(t *testing.T) {
	registry := &fakeRegistry{}
	s := start(t, Options{Registry: registry})
	fill := func(size int) string {
		const frame = `{"message":""}`
		return `{"message":"` + strings.Repeat("x", size-len(frame)) + `"}`
	}
	if status, body := s.ask(t, "POST", "/v1/services/web/stop", fill(api.MaxRequestBytes)); status != 200 {
		t.Errorf("exactly the limit: got %d %s, want 200", status, body)
	}
	status, body := s.ask(t, "POST", "/v1/services/web/stop", fill(api.MaxRequestBytes+1))
	if got := errorIn(t, body); status != 413 || got.Code != api.CodeTooLarge {
		t.Errorf("one byte more: got %d %+v, want 413", status, got)
	}
	conn := s.dial(t)
	fmt.Fprint(conn, "POST /v1/services/web/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000\r\n\r\n")
	go func() { _, _ = io.Copy(conn, strings.NewReader(fill(4*api.MaxRequestBytes))) }()
	if status, got := answerOn(t, conn); status != 413 || got.Code != api.CodeTooLarge {
		t.Errorf("9 GB announced: got %d %+v, want 413", status, got)
	}
	if calls := registry.seen(); len(calls) != 1 {
		t.Errorf("got %d calls, want only the first", len(calls))
	}
}

func TestServer_slowRequestTimesOut(t *testing.T) {
	s := start(t, Options{Registry: &fakeRegistry{}, RequestTimeout: 50 * time.Millisecond})
	t.Run("body", func(t *testing.T) {
		conn := s.dial(t)
		fmt.Fprint(conn, "POST /v1/services/web/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{\"mess")
		if status, got := answerOn(t, conn); status != 408 || got.Code != api.CodeTimeout {
			t.Errorf("got %d %+v, want 408", status, got)
		}
	})
	for name, sent := range map[string]string{"nothing": "", "half a head": "POST /v1/services/web/st"} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial(t)
			fmt.Fprint(conn, sent)
			answer, err := io.ReadAll(conn)
			if err != nil || len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
				t.Errorf("got %q, %v, want an error or a close", answer, err)
			}
		})
	}
}

func TestServer_garbageIsAnsweredAndClosed(t *testing.T) {
	s := start(t, Options{Registry: &fakeRegistry{}, RequestTimeout: 200 * time.Millisecond})
	for _, sent := range []string{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"GET /v1/version HTTP/9.9\r\n\r\n",
		"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /v1/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		strings.Repeat("\r\n", 4000),
	} {
		conn := s.dial(t)
		go func() { _, _ = io.Copy(conn, strings.NewReader(sent)) }()
		answer, err := io.ReadAll(conn)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%.30q: still open", sent)
		}
		if text := string(answer); text != "" && !strings.HasPrefix(text, "HTTP/1.1 4") && !strings.HasPrefix(text, "HTTP/1.1 505") {
			t.Errorf("%.30q: got %.80q, want an error or a close", sent, answer)
		}
	}
	if status, _ := s.ask(t, "GET", "/v1/version", ""); status != 200 {
		t.Errorf("afterwards: got %d, want 200", status)
	}
}

// occupy makes calls that wait until the returned function is called.
func occupy(t *testing.T, n int) (s *running, release func()) {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	registry := &fakeRegistry{call: func(_ context.Context, _, _ string, _ any, progress func(api.Progress)) (*api.Result, error) {
		progress(api.Progress{Phase: "probing"})
		entered <- struct{}{}
		<-leave
		return &api.Result{}, nil
	}}
	s = start(t, Options{Registry: registry})
	release = sync.OnceFunc(func() { close(leave) })
	t.Cleanup(release)
	for range n {
		conn := s.dial(t)
		fmt.Fprint(conn, "POST /v1/services/web/deploy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		waitFor(t, "call", entered)
	}
	return s, release
}

func TestServer_oneCallTooManyIsBusy(t *testing.T) {
	s, release := occupy(t, maxConnections)
	status, body := s.ask(t, "GET", "/v1/version", "")
	if got := errorIn(t, body); status != 503 || got.Code != api.CodeBusy {
		t.Errorf("got %d %+v, want 503", status, got)
	}
	// The client of package api sees the same, even with a body on its way.
	client := api.Client{Socket: s.socket}
	_, err := client.Stop(t.Context(), "web", api.StopRequest{Message: strings.Repeat("x", 512<<10)}, nil)
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeBusy {
		t.Errorf("client: got %v, want busy", err)
	}
	release()
	eventually(t, "room for the next call", func() bool {
		_, err := client.Version(t.Context())
		return err == nil
	})
}

func TestServer_thousandConnectionsAreBounded(t *testing.T) {
	s, release := occupy(t, maxConnections/2)
	const silent = 1000
	answered := make(chan string, silent)
	var readers sync.WaitGroup
	for range silent {
		conn, err := net.Dial("unix", s.socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(patience))
		readers.Go(func() {
			text, _ := io.ReadAll(conn)
			answered <- string(text)
		})
	}
	// Half of the places were free; everybody else is turned away.
	for range silent - maxConnections/2 {
		if text := waitFor(t, "close", answered); text != "" {
			t.Fatalf("got %q, want a silent close of a silent connection", text)
		}
	}
	release()
	eventually(t, "room for the next call", func() bool {
		_, err := (&api.Client{Socket: s.socket}).Version(t.Context())
		return err == nil
	})
	s.stop()
	readers.Wait()
}

func TestServer_Serve_letsRunningCallsFinish(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	registry := &fakeRegistry{call: func(_ context.Context, _, name string, _ any, progress func(api.Progress)) (*api.Result, error) {
		progress(api.Progress{Phase: "draining"}) // published: the context ends nothing any more
		close(entered)
		<-leave
		return &api.Result{Service: name}, nil
	}}
	s := start(t, Options{Registry: registry, ShutdownTimeout: patience})
	done := make(chan error, 1)
	go func() {
		_, err := (&api.Client{Socket: s.socket}).Deploy(t.Context(), "web", api.DeployRequest{}, nil)
		done <- err
	}()
	waitFor(t, "call", entered)
	s.stop()
	eventually(t, "end of accepting", func() bool {
		conn, err := net.Dial("unix", s.socket)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(leave)
	if err := waitFor(t, "end of the call", done); err != nil {
		t.Errorf("running call: got %v, want its result", err)
	}
	if err := waitFor(t, "end of Serve", s.ended); err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
}

func TestServer_Serve_doesNotWaitForTheSilent(t *testing.T) {
	s := start(t, Options{Registry: &fakeRegistry{}, ShutdownTimeout: time.Hour, RequestTimeout: time.Hour})
	conn := s.dial(t)
	// Connections are accepted in order, so that the first one is served too.
	if status, _ := s.ask(t, "GET", "/v1/version", ""); status != http.StatusOK {
		t.Fatalf("got %d, want 200", status)
	}
	s.stop()
	// net/http itself gives a silent connection five seconds.
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	case <-time.After(4 * time.Second):
		t.Error("Serve waits for a connection that asks nothing")
	}
	if answer, err := io.ReadAll(conn); err != nil || len(answer) > 0 {
		t.Errorf("got %q, %v, want a close", answer, err)
	}
}

func TestServer_Serve_cancelsAtOnceWhatChangedNothing(t *testing.T) {
	entered := make(chan struct{})
	registry := &fakeRegistry{call: func(ctx context.Context, _, _ string, _ any, progress func(api.Progress)) (*api.Result, error) {
		progress(api.Progress{Phase: "probing"})
		close(entered)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}}
	s := start(t, Options{Registry: registry, ShutdownTimeout: time.Hour})
	done := make(chan error, 1)
	go func() {
		_, err := (&api.Client{Socket: s.socket}).Deploy(t.Context(), "web", api.DeployRequest{}, nil)
		done <- err
	}()
	waitFor(t, "call", entered)
	s.stop()
	var e *api.Error
	if err := waitFor(t, "end of the call", done); !errors.As(err, &e) || e.Message != errStopping.Message {
		t.Errorf("running call: got %v, want why it was canceled", err)
	}
	if err := waitFor(t, "end of Serve", s.ended); err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
}

func TestServer_Close_beforeServe(t *testing.T) {
	ln, err := Listen(SocketOptions{Path: shortDir(t) + "/control.sock"})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Registry: &fakeRegistry{}, Daemon: fakeDaemon{}})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Serve(t.Context(), ln); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("listener: got %v, want closed", err)
	}
}

func TestServer_Serve_saysThatTheListenerFailed(t *testing.T) {
	ln, err := Listen(SocketOptions{Path: shortDir(t) + "/control.sock"})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Registry: &fakeRegistry{}, Daemon: fakeDaemon{}})
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), ln); err == nil || !strings.Contains(err.Error(), "accept on control socket") {
		t.Errorf("got %v, want an error", err)
	}
}
