package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"upfront/page"
	"upfront/service"
)

// pagesOf reads a folder with these files.
func pagesOf(t *testing.T, files map[string]string) *page.Set {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set, err := page.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// get asks for / with the lines given.
func (r *rig) get(lines ...string) (*http.Response, string) {
	r.t.Helper()
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n", strings.Join(append(lines, "\r\n"), "\r\n"))
	return w.receive("GET")
}

func TestPage_comesInTheFormThatTheClientAccepts(t *testing.T) {
	r := newRigOf(t, Settings{}, nil, &fixedRoutes{})
	const text, html = "text/plain; charset=utf-8", "text/html; charset=utf-8"
	for _, c := range []struct{ accept, wantType, wantText string }{
		{"", text, "404 Page not found\nThere is nothing at this address."},
		{"Accept: */*\r\n", text, "404 Page not found\n"},
		{"Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n", html, "<h1>Page not found</h1>"},
		{"accept: application/json\r\n", "application/json", `{"status":404,"title":"Page not found",`},
		{"Accept: text/html;q=0.1\r\nX: y\r\nACCEPT: application/json;q=0.2\r\n", "application/json", `{"status":404,`},
		{"X-Accept: text/html\r\n", text, "404 "},
	} {
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\n" + c.accept + "\r\n")
		res, body := w.receive("GET")
		if got := res.Header.Get("Content-Type"); got != c.wantType || !strings.Contains(body, c.wantText) {
			t.Errorf("%q: got %s: %s", c.accept, got, body)
		}
		id := res.Header.Get("X-Request-Id")
		if len(id) != 36 || !strings.Contains(body, id) {
			t.Errorf("%q: request id %q is not shown in %s", c.accept, id, body)
		}
		if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q: got head %v", c.accept, res.Header)
		}
		for _, name := range []string{"Server", "Via"} {
			if v := res.Header.Get(name); v != "" {
				t.Errorf("says what we are: %s: %s", name, v)
			}
		}
	}
}

func TestPage_hasNoBodyForHEAD(t *testing.T) {
	r := newRigOf(t, Settings{}, nil, &fixedRoutes{})
	set := pagesOf(t, map[string]string{"404.html": "<p>{{.RequestID}}"})
	for _, settings := range []Settings{{}, {ErrorPages: set}} {
		r.server.Apply(settings)
		for _, accept := range []string{"text/html", "application/json", "text/plain"} {
			head := "/ HTTP/1.1\r\nHost: a\r\nAccept: " + accept + "\r\n\r\n"
			w := r.wire()
			w.send("GET ", head)
			want, body := w.receive("GET")
			w.send("HEAD ", head)
			got, none := w.receive("HEAD")
			if none != "" || got.ContentLength != int64(len(body)) || got.StatusCode != 404 ||
				got.Header.Get("Content-Type") != want.Header.Get("Content-Type") {
				t.Errorf("%s: got %d %q, %v; want the head %v", accept, got.StatusCode, none, got.Header, want.Header)
			}
		}
	}
}

func TestPage_escapesTheMessage(t *testing.T) {
	const message = `</p><script>alert("1")</script>` + "\n\"'&" + "\u2028"
	svc := newService("127.0.0.1:1")
	r := newRig(t, Settings{}, svc)
	custom := newService("127.0.0.1:1")
	custom.Gate, custom.ErrorPages = svc.Gate, pagesOf(t, map[string]string{"503.html": "<p>{{.Message}}</p>"})
	t.Cleanup(func() { r.settle(custom) })
	svc.Gate.Stop(message)
	for _, s := range []*service.Service{svc, custom} {
		r.server.routes.(*fixedRoutes).svc = s
		for _, accept := range []string{"text/html", "application/json", "text/plain"} {
			res, body := r.get("Accept: " + accept)
			if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
				t.Fatalf("got %d, %v", res.StatusCode, res.Header)
			}
			switch accept {
			case "text/html":
				if strings.Contains(body, "<script") || !strings.Contains(body, "&lt;script&gt;") {
					t.Errorf("got %s", body)
				}
			case "application/json":
				var got map[string]any
				if err := json.Unmarshal([]byte(body), &got); err != nil || got["error"] != message {
					t.Errorf("got %s: %v", body, err)
				}
			default:
				if !strings.Contains(body, message) {
					t.Errorf("got %s", body)
				}
			}
		}
	}
}

func TestPage_ofTheFolderReplacesOurOwnErrorsOnly(t *testing.T) {
	target := answering(t, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\ntarget")
	svc := newService(target.addr)
	svc.ErrorPages = pagesOf(t, map[string]string{"502.html": "custom"})
	r := newRig(t, Settings{}, svc)
	if res, body := r.get("Accept: text/html"); res.StatusCode != 502 || body != "target" {
		t.Errorf("the target's own: got %d %q", res.StatusCode, body)
	}
	gone := newService("127.0.0.1:1")
	gone.ErrorPages = svc.ErrorPages
	t.Cleanup(func() { r.settle(gone) })
	r.server.routes.(*fixedRoutes).svc = gone
	for _, c := range []struct {
		accept, wantType, wantBody string
	}{
		{"text/html", "text/html; charset=utf-8", "custom"},
		{"*/*", "text/html; charset=utf-8", "custom"},
		{"image/png", "text/html; charset=utf-8", "custom"},
		{"application/json", "application/json", `{"status":502,`},
		{"text/html;q=0.5, application/json", "application/json", `{"status":502,`},
		{"text/plain", "text/plain; charset=utf-8", "502 Something went wrong"},
	} {
		res, body := r.get("Accept: " + c.accept)
		if got := res.Header.Get("Content-Type"); res.StatusCode != 502 || got != c.wantType || !strings.HasPrefix(body, c.wantBody) {
			t.Errorf("%s: got %d, %s: %s", c.accept, res.StatusCode, got, body)
		}
	}
	gone.Gate.Stop("closed") // 503 has no file
	if res, body := r.get("Accept: text/html"); res.StatusCode != 503 || !strings.Contains(body, "<p>closed</p>") {
		t.Errorf("a status without a file: got %d %s", res.StatusCode, body)
	}
}

func TestPage_ofTheRootFolderIsForRequestsOfNoService(t *testing.T) {
	svc := newService("127.0.0.1:1")
	routes := &fixedRoutes{}
	root := pagesOf(t, map[string]string{"404.html": "root {{.Status}}", "400.html": "root {{.Status}}", "502.html": "root"})
	r := newRigOf(t, Settings{ErrorPages: root}, nil, routes)
	t.Cleanup(func() { r.settle(svc) })
	if res, body := r.get(); res.StatusCode != 404 || body != "root 404" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\nbad name: x\r\n\r\n")
	if res, body := w.receive("GET"); res.StatusCode != 400 || body != "root 400" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	routes.svc, routes.prefix = svc, "/"
	if res, body := r.get(); res.StatusCode != 502 || body == "root" {
		t.Errorf("a service without a folder: got %d %q", res.StatusCode, body)
	}
}

func TestPage_thatCannotBeRenderedGivesWayToTheBuiltInOne(t *testing.T) {
	r := newRigOf(t, Settings{
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		ErrorPages:     pagesOf(t, map[string]string{"404.html": `half {{slice .RequestID 30}}`}),
	}, nil, &fixedRoutes{})
	if _, body := r.get("Accept: text/html"); !strings.HasPrefix(body, "half ") {
		t.Fatalf("got %s", body)
	}
	res, body := r.get("Accept: */*", "X-Request-Id: short")
	if res.StatusCode != 404 || strings.Contains(body, "half") || !strings.Contains(body, "<h1>Page not found</h1>") {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestServer_complainOfPage_saysItOnceInAWhile(t *testing.T) {
	core, lines := observer.New(zap.WarnLevel)
	s := &Server{log: zap.New(core)}
	for range 3 {
		s.complainOfPage(errors.New("it makes too much"))
	}
	if got := lines.Len(); got != 1 {
		t.Errorf("got %d lines, want 1", got)
	}
	s.complained.last.Add(-int64(complainEvery) - 1)
	s.complainOfPage(errors.New("it makes too much"))
	if got := lines.Len(); got != 2 {
		t.Errorf("after a while: got %d lines, want 2", got)
	}
}

func TestPage_saysWhenToComeBack(t *testing.T) {
	for _, c := range []struct {
		err  *Error
		want bool
	}{
		{&Error{Status: 503, Err: errStopped}, true},
		{&Error{Status: 429, Err: errNoRoute}, true},
		{&Error{Status: 504, Err: fmt.Errorf("held: %w", service.ErrPauseTimeout)}, true},
		{&Error{Status: 504, Err: errCut}, false},
		{&Error{Status: 502, Err: errEarlyClose}, false},
		{&Error{Status: 404, Err: errNoRoute}, false},
	} {
		if got := worthRetrying(c.err); got != c.want {
			t.Errorf("%d, %v: got %v", c.err.Status, c.err, got)
		}
	}
}

// A page with a large body leaves whole, and its length is exact.
func TestPage_mayBeLarge(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", page.MaxFile/16)
	set := pagesOf(t, map[string]string{"404.html": large})
	r := newRigOf(t, Settings{ErrorPages: set}, nil, &fixedRoutes{})
	w := r.wire()
	for range 3 {
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if res, body := w.receive("GET"); body != large || res.ContentLength != int64(len(large)) {
			t.Fatalf("got %d bytes, Content-Length %d", len(body), res.ContentLength)
		}
	}
}
