package control

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"upfront/api"
)

func TestServer_streamsProgressThenTheResult(t *testing.T) {
	step := make(chan struct{})
	registry := &fakeRegistry{call: func(_ context.Context, _, name string, _ any, progress func(api.Progress)) (*api.Result, error) {
		for _, phase := range []string{"probing", "draining"} {
			progress(api.Progress{Phase: phase})
			<-step
		}
		return &api.Result{Service: name}, nil
	}}
	s := start(t, Options{Registry: registry})
	resp, err := s.open(t.Context(), "POST", "/v1/services/web/deploy", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != api.ContentTypeEvents || resp.StatusCode != http.StatusOK {
		t.Errorf("got %d %q, want 200 %q", resp.StatusCode, got, api.ContentTypeEvents)
	}
	lines := bufio.NewReader(resp.Body)
	for _, want := range []string{
		`{"progress":{"phase":"probing"}}`, `{"progress":{"phase":"draining"}}`, `{"result":{"service":"web","targets":null}}`,
	} {
		// Each line arrives while the call still waits for the next step.
		line, err := lines.ReadString('\n')
		if err != nil || strings.TrimSpace(line) != want {
			t.Fatalf("got line %q, %v, want %q", line, err, want)
		}
		if strings.Contains(want, "progress") {
			step <- struct{}{}
		}
	}
	if rest, _ := io.ReadAll(lines); len(rest) > 0 {
		t.Errorf("got %q after the result, want nothing", rest)
	}
}

func TestServer_errorAfterProgressIsTheLastLine(t *testing.T) {
	registry := &fakeRegistry{call: func(_ context.Context, _, _ string, _ any, progress func(api.Progress)) (*api.Result, error) {
		progress(api.Progress{Phase: "probing"})
		return nil, &api.Error{Code: api.CodeUnhealthy, Message: "web-1:3000 is not healthy"}
	}}
	status, body := start(t, Options{Registry: registry}).ask(t, "POST", "/v1/services/web/deploy", "")
	events := eventsIn(t, body)
	if status != 200 || len(events) != 2 || events[0].Progress == nil || events[1].Error == nil || events[1].Error.Code != api.CodeUnhealthy {
		t.Errorf("got %d %s, want 200, progress, then the error", status, body)
	}
}

func TestServer_clientThatLeavesCancelsItsCall(t *testing.T) {
	leave := map[string]func(*testing.T, *running){
		"context canceled": func(t *testing.T, s *running) {
			t.Helper()
			ctx, cancel := context.WithCancel(t.Context())
			resp, err := s.open(ctx, "POST", "/v1/services/web/deploy", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			resp.Body.Close()
		},
		"connection closed": func(t *testing.T, s *running) {
			t.Helper()
			conn := s.dial(t)
			fmt.Fprint(conn, "POST /v1/services/web/deploy HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			conn.Close()
		},
		"half closed": func(t *testing.T, s *running) {
			t.Helper()
			conn := s.dial(t)
			fmt.Fprint(conn, "POST /v1/services/web/deploy HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, leave := range leave {
		t.Run(name, func(t *testing.T) {
			canceled := make(chan error, 1)
			registry := &fakeRegistry{call: func(ctx context.Context, _, _ string, _ any, progress func(api.Progress)) (*api.Result, error) {
				progress(api.Progress{Phase: "probing"})
				<-ctx.Done()
				canceled <- ctx.Err()
				return nil, ctx.Err()
			}}
			leave(t, start(t, Options{Registry: registry}))
			waitFor(t, "cancel", canceled)
		})
	}
}

func TestServer_clientThatDoesNotReadHoldsUpNobody(t *testing.T) {
	returned := make(chan struct{})
	registry := &fakeRegistry{call: func(_ context.Context, _, _ string, _ any, progress func(api.Progress)) (*api.Result, error) {
		defer close(returned)
		for range 1000 { // far more than a socket's buffer holds
			progress(api.Progress{Phase: strings.Repeat("p", 64<<10)})
		}
		return &api.Result{}, nil
	}}
	conn := start(t, Options{Registry: registry}).dial(t)
	fmt.Fprint(conn, "POST /v1/services/web/deploy HTTP/1.1\r\nHost: x\r\n\r\n")
	waitFor(t, "return of the call", returned)
	conn.Close()
}

func TestServer_longCallOutlivesTheRequestTimeout(t *testing.T) {
	const requestTimeout = 50 * time.Millisecond
	registry := &fakeRegistry{call: func(ctx context.Context, _, name string, _ any, progress func(api.Progress)) (*api.Result, error) {
		progress(api.Progress{Phase: "probing"})
		select {
		case <-time.After(4 * requestTimeout):
			return &api.Result{Service: name}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	s := start(t, Options{Registry: registry, RequestTimeout: requestTimeout})
	_, body := s.ask(t, "POST", "/v1/services/web/deploy", "{}")
	if events := eventsIn(t, body); len(events) != 2 || events[1].Result == nil {
		t.Errorf("got %s, want the result", body)
	}
}

func TestEventStream_progressAfterTheEndIsDropped(t *testing.T) {
	var late func(api.Progress)
	registry := &fakeRegistry{call: func(_ context.Context, _, _ string, _ any, progress func(api.Progress)) (*api.Result, error) {
		late = progress
		return nil, nil
	}}
	status, body := start(t, Options{Registry: registry}).ask(t, "POST", "/v1/services/web/deploy", "")
	late(api.Progress{Phase: "probing"})
	if status != http.StatusOK || !strings.HasPrefix(body, `{"result":`) {
		t.Errorf("got %d %s, want an empty result", status, body)
	}
}
