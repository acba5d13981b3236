package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// troubled is an app whose paths go wrong in one way each.
func troubled(t *testing.T) (address string, healthy *atomic.Bool) {
	t.Helper()
	healthy = &atomic.Bool{}
	healthy.Store(true)
	mux := http.NewServeMux()
	mux.HandleFunc("/up", func(w http.ResponseWriter, _ *http.Request) {
		if !healthy.Load() {
			w.WriteHeader(500)
		}
	})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/gone", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/own", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(502)
		_, _ = io.WriteString(w, "the app's own")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), healthy
}

// visit asks as a client does that accepts these types; "" sends no Accept.
func visit(t *testing.T, p *proxy, method, path, accept string) (status int, body string, header http.Header) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if length := resp.Header.Get("Content-Length"); method == "GET" && length != itoa(len(b)) {
		t.Errorf("%s: Content-Length %s, and %d bytes came", path, length, len(b))
	}
	return resp.StatusCode, string(b), resp.Header
}

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

func pageFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := shortFolder(t)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// expectPage visits path and checks what a visitor must see, and must not.
func expectPage(t *testing.T, p *proxy, path, accept string, status int, form, text string) http.Header {
	t.Helper()
	got, body, header := visit(t, p, "GET", path, accept)
	if got != status || !strings.HasPrefix(header.Get("Content-Type"), form) || !strings.Contains(body, text) {
		t.Errorf("GET %s (%s): %d %s: %s; want %d %s with %q", path, accept, got, header.Get("Content-Type"), body, status, form, text)
	}
	head, none, _ := visit(t, p, "HEAD", path, accept)
	if head != status || none != "" {
		t.Errorf("HEAD %s: %d %q", path, head, none)
	}
	for _, secret := range []string{"127.0.0.1", "upfront", "Upfront", "proxyd"} {
		if strings.Contains(body, secret) {
			t.Errorf("GET %s: the page says %q: %s", path, secret, body)
		}
	}
	return header
}

func TestErrorPages_areWhatVisitorsSee(t *testing.T) {
	p := startProxy(t, proxyOptions{http: freeAddress(t)})
	address, healthy := troubled(t)
	folder := pageFolder(t, map[string]string{
		"502.html": "<title>{{.Status}}</title>ours, {{.RequestID}}", "503.html": "<h1>{{.Title}}</h1>{{.Message}}", "422.html": "{{broken",
	})
	p.do(t, "deploy", "web", "--target", address, "--error-pages", folder, "--target-timeout", "200ms",
		"--health-check-interval", "50ms", "--max-attempts", "1")
	expect := func(path, accept string, status int, form, text string) http.Header {
		t.Helper()
		return expectPage(t, p, path, accept, status, form, text)
	}
	header := expect("/gone", browser, 502, "text/html", "<title>502</title>ours, ")
	if id := header.Get("X-Request-Id"); len(id) != 36 {
		t.Errorf("request id = %q", id)
	}
	expect("/gone", "", 502, "text/html", "ours, ")
	expect("/gone", "application/json, */*;q=0.1", 502, "application/json", `{"status":502,`)
	expect("/own", browser, 502, "text/plain", "the app's own")
	expect("/slow", browser, 504, "text/html", "<h1>No answer in time</h1>")
	expect("/slow", "*/*", 504, "text/plain", "504 No answer in time")

	healthy.Store(false)
	waitFor(t, 10*time.Second, "the target to be unhealthy", func() bool {
		target, _ := p.target(t, "web", address)
		return target.Health == "unhealthy"
	})
	if header := expect("/", browser, 503, "text/html", "<h1>Temporarily unavailable</h1>"); header.Get("Retry-After") == "" {
		t.Error("503 does not say when to come back")
	}
	healthy.Store(true)

	const message = "Back <soon>\nand well & \"done\""
	p.do(t, "stop", "web", "--message", message)
	expect("/", browser, 503, "text/html", "<h1>Down for maintenance</h1>Back &lt;soon&gt;\nand well &amp; &#34;done&#34;")
	_, body, _ := visit(t, p, "GET", "/", "application/json")
	var answer struct{ Error string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Error != message {
		t.Errorf("as JSON: %s, %v", body, err)
	}
	expect("/", "text/plain", 503, "text/plain", message)
	if status, body, _ := visit(t, p, "GET", "/up", browser); status != 200 || body != "OK" {
		t.Errorf("health check while stopped: %d %q", status, body)
	}

	// The folder is gone after a restart: the service and its message are not.
	p.kill()
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	p = startProxy(t, p.options)
	expect("/", browser, 503, "text/html", "<p>Back &lt;soon&gt;\nand well &amp; &#34;done&#34;</p>")
	if out := p.do(t, "status"); !strings.Contains(out, "built-in error pages are used") || !strings.Contains(out, folder) {
		t.Errorf("status does not say that the pages are gone:\n%s", out)
	}
	p.do(t, "resume", "web")
	expect("/own", browser, 502, "text/plain", "the app's own")
}

func TestErrorPages_thatAreBadRefuseTheDeploy(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	v1, v2 := startApp(t, "v1"), startApp(t, "v2")
	good := pageFolder(t, map[string]string{"503.html": "closed"})
	p.do(t, "deploy", "web", "--target", v1.address, "--error-pages", good)
	bad := pageFolder(t, map[string]string{"502.html": "ok", "503.html": "<p>\n<b>{{.Mesage}}</b>"})
	for folder, want := range map[string]string{
		bad: bad + "/503.html:2:5", bad + "/none": "no such file", "pages": "absolute path",
	} {
		status, _, stderr := p.ctl(t, "deploy", "web", "--target", v2.address, "--error-pages", folder)
		if status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("deploy with %s: status %d, %q, want %q", folder, status, stderr, want)
		}
	}
	if _, _, header := ask(t, p.address, host, "/"); header.Get("X-Version") != "v1" {
		t.Errorf("answer of %q, want v1", header.Get("X-Version"))
	}
	if status, _, stderr := p.ctl(t, "stop", "web", "--message", "\x1b[31mred"); status == 0 || !strings.Contains(stderr, "control character") {
		t.Errorf("stop with a control character: status %d, %q", status, stderr)
	}
	p.do(t, "stop", "web")
	if _, body, _ := visit(t, p, "GET", "/", browser); body != "closed" {
		t.Errorf("page after refused deploys = %q, want the one before", body)
	}
}

// What is no request at all gets a page, too.
func TestErrorPages_forWhatIsNoRequest(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nbad name: x\r\n\r\n")
	answer := make([]byte, 8<<10)
	n, err := io.ReadAtLeast(conn, answer, 12)
	if err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 400 ") {
		t.Errorf("got %q, %v", answer[:n], err)
	}
}
