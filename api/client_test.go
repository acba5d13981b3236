package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startSocket serves answer on a unix socket until the test ends.
func startSocket(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	path := socketPath(t)
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: answer, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		_ = server.Serve(ln)
		close(ended)
	}()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
	return &Client{Socket: path}
}

func socketPath(t *testing.T) string {
	t.Helper()
	// The path of t.TempDir is too long for a socket on macOS.
	folder, err := os.MkdirTemp("", "upfront")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return filepath.Join(folder, "control.sock")
}

// errorOf is err as every method of Client returns it.
func errorOf(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	return e
}

func TestClient_callsTheRightPath(t *testing.T) {
	var asked string
	c := startSocket(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.EscapedPath() + " " + string(body)
		_, _ = io.WriteString(w, `{"result":{"service":"web","targets":null}}`)
	})
	ctx := t.Context()
	tests := []struct {
		want string
		call func() error
	}{
		{"GET /v1/version ", func() error { _, err := c.Version(ctx); return err }},
		{"GET /v1/status ", func() error { _, err := c.Status(ctx); return err }},
		{"GET /v1/services ", func() error { _, err := c.Services(ctx); return err }},
		{"GET /v1/services/web ", func() error { _, err := c.Service(ctx, "web"); return err }},
		{"GET /v1/services/a%2Fb%20c ", func() error { _, err := c.Service(ctx, "a/b c"); return err }},
		{"GET /v1/metrics ", func() error { _, err := c.Metrics(ctx); return err }},
		{
			`POST /v1/services/web/deploy {"spec":{"health_check":{}},"targets":[{"address":"web-1:80"}],"supersede":true}`,
			func() error {
				_, err := c.Deploy(ctx, "web", DeployRequest{Targets: []Target{{Address: "web-1:80"}}, Supersede: true}, nil)
				return err
			},
		},
		{`POST /v1/services/web/add {"target":{"address":"web-1:80"}}`, func() error {
			_, err := c.Add(ctx, "web", AddRequest{Target: Target{Address: "web-1:80"}}, nil)
			return err
		}},
		{`POST /v1/services/web/remove {}`, func() error { _, err := c.Remove(ctx, "web", RemoveRequest{}, nil); return err }},
		{`POST /v1/services/web/drain {"target":"web-1:80"}`, func() error {
			_, err := c.Drain(ctx, "web", DrainRequest{Target: "web-1:80"}, nil)
			return err
		}},
		{`POST /v1/services/web/pause {"max_pause":"2s"}`, func() error {
			_, err := c.Pause(ctx, "web", PauseRequest{MaxPause: Duration(2 * time.Second)}, nil)
			return err
		}},
		{`POST /v1/services/web/stop {"message":"Back"}`, func() error {
			_, err := c.Stop(ctx, "web", StopRequest{Message: "Back"}, nil)
			return err
		}},
		{`POST /v1/services/web/resume {}`, func() error { _, err := c.Resume(ctx, "web"); return err }},
		{`POST /v1/services/web/rollback {}`, func() error { _, err := c.Rollback(ctx, "web", RollbackRequest{}, nil); return err }},
		{`POST /v1/reload {}`, func() error { return c.Reload(ctx) }},
		{`POST /v1/check {"path":"p.yml","text":"a: 1\n"}`, func() error { return c.Check(ctx, "p.yml", []byte("a: 1\n")) }},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			if err := tt.call(); err != nil {
				t.Fatal(err)
			}
			if asked != tt.want {
				t.Errorf("asked %q, want %q", asked, tt.want)
			}
		})
	}
}

func TestClient_refusesANameThatIsAPath(t *testing.T) {
	c := &Client{Socket: "/nowhere"}
	for _, name := range []string{"", ".", ".."} {
		_, err := c.Deploy(t.Context(), name, DeployRequest{}, nil)
		if e := errorOf(t, err); e.Code != CodeInvalid {
			t.Errorf("deploy %q: got %+v, want invalid", name, e)
		}
		_, err = c.Service(t.Context(), name)
		if e := errorOf(t, err); e.Code != CodeInvalid {
			t.Errorf("service %q: got %+v, want invalid", name, e)
		}
		_, err = c.Resume(t.Context(), name)
		if e := errorOf(t, err); e.Code != CodeInvalid {
			t.Errorf("resume %q: got %+v, want invalid", name, e)
		}
	}
}

func TestClient_tellsProgressThenTheResult(t *testing.T) {
	c := startSocket(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, event := range []Event{
			{Progress: &Progress{Phase: "probing"}},
			{Progress: &Progress{Phase: "draining"}},
			{Result: &Result{Service: "web", Waited: Duration(time.Second)}},
		} {
			_ = json.NewEncoder(w).Encode(event)
		}
	})
	var phases []string
	result, err := c.Deploy(t.Context(), "web", DeployRequest{}, func(p Progress) { phases = append(phases, p.Phase) })
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"probing", "draining"}; !reflect.DeepEqual(phases, want) {
		t.Errorf("got phases %q, want %q", phases, want)
	}
	if result.Service != "web" || result.Waited.String() != "1s" {
		t.Errorf("got %+v", result)
	}
}

func TestClient_errors(t *testing.T) {
	unhealthy := Error{Code: CodeUnhealthy, Message: "not healthy", Flag: "--deploy-timeout"}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		code   Code
		want   string
	}{
		{"with a status", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(422)
			_ = json.NewEncoder(w).Encode(ErrorAnswer{&unhealthy})
		}, CodeUnhealthy, "not healthy"},
		{"as the last line", func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(Event{Progress: &Progress{}})
			_ = json.NewEncoder(w).Encode(Event{Error: &unhealthy})
		}, CodeUnhealthy, "not healthy"},
		{"no last line", func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(Event{Progress: &Progress{}})
		}, CodeBusy, "closed the connection before the call ended"},
		{"cut line", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"resu`) }, CodeBusy, "closed the connection"},
		{"cut connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, CodeBusy, "closed the connection"},
		{"status without a reason", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, CodeInternal, `answered "502 Bad Gateway" without saying why`},
		{"another program", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, CodeInternal, "is not proxyd's"},
		{"another version", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"result":7}`) }, CodeInternal, "is not proxyd's"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := startSocket(t, tt.answer).Deploy(t.Context(), "web", DeployRequest{}, nil)
			if e := errorOf(t, err); e.Code != tt.code || !strings.Contains(e.Message, tt.want) {
				t.Errorf("got %+v, want %s and %q", e, tt.code, tt.want)
			}
		})
	}
}

func TestClient_saysThatItCannotReachProxyd(t *testing.T) {
	stale := socketPath(t)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	for name, path := range map[string]string{"missing": "/nowhere/control.sock", "nobody listens": stale} {
		t.Run(name, func(t *testing.T) {
			_, err := (&Client{Socket: path}).Status(t.Context())
			want := "cannot reach proxyd at " + path + ": is it running? set --socket or UPFRONT_SOCKET"
			if e := errorOf(t, err); e.Code != CodeUnreachable || e.Message != want {
				t.Errorf("got  %+v\nwant %q", e, want)
			}
		})
	}
	t.Run("long path", func(t *testing.T) {
		_, err := (&Client{Socket: "/" + strings.Repeat("x", 200)}).Status(t.Context())
		if e := errorOf(t, err); e.Code != CodeUnreachable || !strings.Contains(e.Message, "is 201 bytes long") {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("no permission", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may connect to every socket")
		}
		path := socketPath(t)
		ln, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		_, err = (&Client{Socket: path}).Status(t.Context())
		if e := errorOf(t, err); e.Code != CodeDenied || !strings.Contains(e.Message, "may not use the control socket "+path) {
			t.Errorf("got %+v", e)
		}
	})
}

func TestClient_explainsMissingPermission(t *testing.T) {
	cause := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)}
	e := errorOf(t, (&Client{Socket: "/run/x"}).explain(t.Context(), cause))
	if e.Code != CodeDenied || !strings.HasPrefix(e.Message, "may not use the control socket /run/x: run as root or as the user of proxyd") {
		t.Errorf("got %+v", e)
	}
}

func TestClient_cancelEndsTheCall(t *testing.T) {
	left := make(chan struct{})
	c := startSocket(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // net/http looks out for a close only afterwards
		_ = json.NewEncoder(w).Encode(Event{Progress: &Progress{Phase: "probing"}})
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(left)
	})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Deploy(ctx, "web", DeployRequest{}, func(Progress) { cancel() })
	if e := errorOf(t, err); e.Code != CodeCanceled {
		t.Errorf("got %+v, want canceled", e)
	}
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Error("proxyd was not told")
	}
	ctx, cancel = context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	_, err = c.Version(ctx)
	if e := errorOf(t, err); e.Code != CodeTimeout {
		t.Errorf("deadline: got %+v, want a timeout", e)
	}
}
