package kamal

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What kamal-proxy does, and Kamal and its users rely on.

func TestBehaviour_firstBoot(t *testing.T) {
	p := startProxy(t)
	if !strings.Contains(p.log.String(), "No previous state to restore") {
		t.Errorf("the log lacks the line that Kamal's own test looks for:\n%s", p.log)
	}
	p.want("any.test", "/", 404)
}

func TestBehaviour_listIsTheTableThatScriptsKnow(t *testing.T) {
	p := startProxy(t)
	app := startTarget(t, "app", nil)
	p.deploy("web", app.address, "--host", "a.test", "--path-prefix", "/")
	pad := strings.Repeat(" ", len(app.address)-len("Target"))
	want := "\x1b[3;94mService\x1b[0m  \x1b[3;94mHost\x1b[0m    \x1b[3;94mPath\x1b[0m  \x1b[3;94mTarget\x1b[0m" + pad + "  \x1b[3;94mState\x1b[0m    \x1b[3;94mTLS\x1b[0m  \n" +
		"\x1b[1;34mweb\x1b[0m      \x1b[ma.test\x1b[0m  \x1b[m/\x1b[0m     \x1b[m" + app.address + "\x1b[0m  \x1b[mrunning\x1b[0m  \x1b[mno\x1b[0m   \n"
	if got := p.try("list"); got != (result{stdout: want}) {
		t.Errorf("got\n%q\nwant\n%q", got.stdout, want)
	}
}

func TestBehaviour_errorsAreOneSentenceOnStderr(t *testing.T) {
	p := startProxy(t)
	app := startTarget(t, "app", nil)
	p.deploy("web", app.address, "--host", "a.test")
	for _, test := range []struct{ line, want string }{
		{"deploy", "Error: accepts 1 arg(s), received 0"},
		{"deploy x", `Error: required flag(s) "target" not set`},
		{"deploy x --target foo:bar", "Error: foo:bar :invalid host pattern"},
		{"deploy x --target localhost:1 --deploy-timeout 1s", "Error: target failed to become healthy within configured timeout (1s)"},
		{"deploy x --host a.test --target " + app.address, "Error: host settings conflict with another service"},
		{"deploy x --error-pages /nowhere --target " + app.address, "Error: unable to load error pages"},
		{"deploy x --tls --target a:80", "Error: service options invalid: host must be set when using TLS"},
		{"deploy x --host y --canonical-host z --target a:80", "Error: service options invalid: canonical-host 'z' must be present in the hosts list: [y]"},
		{"remove x", "Error: service not found"},
		{"resume x", "Error: service not found"},
		{"rollout set web --percent 5", "Error: rollout target not set"},
		{"rollout set web", "Error: at least one of the flags in the group [percent list] is required"},
		{"frob", `Error: unknown command "frob" for "kamal-proxy"` + "\nRun 'kamal-proxy --help' for usage."},
	} {
		got := p.try(strings.Fields(test.line)...)
		if got.status != 1 || got.stdout != "" || !strings.HasPrefix(got.stderr, test.want) {
			t.Errorf("%s: got %+v, want %q", test.line, got, test.want)
		}
	}
}

func TestBehaviour_routing(t *testing.T) {
	p := startProxy(t)
	for name, flags := range map[string][]string{
		"all": nil, "host": {"--host", "a.test"}, "api": {"--host", "a.test", "--path-prefix", "/api,/v2"}, "wild": {"--host", "*.w.test"},
	} {
		p.deploy(name, startTarget(t, name, nil).address, flags...)
	}
	for _, test := range []struct{ host, path, want string }{
		{"a.test", "/", "host"},
		{"a.test:81", "/x", "host"},
		{"a.test", "/api", "api"},
		{"a.test", "/api/x", "api"},
		{"a.test", "/apix", "host"},
		{"a.test", "/v2", "api"},
		{"b.w.test", "/", "wild"},
		{"c.b.w.test", "/", "all"},
		{"w.test", "/", "all"},
		{"1.2.3.4", "/", "all"},
	} {
		if got := p.want(test.host, test.path, 200); got.body != test.want {
			t.Errorf("%s%s: answered by %s, want %s", test.host, test.path, got.body, test.want)
		}
	}
}

func TestBehaviour_aFailedDeployChangesNothing(t *testing.T) {
	p := startProxy(t)
	p.deploy("web", startTarget(t, "old", nil).address)
	if got := p.try("deploy", "web", "--target", "localhost:1", "--deploy-timeout", "1s"); got.status != 1 {
		t.Errorf("got %+v, want a failure", got)
	}
	if got := p.want("a.test", "/", 200); got.body != "old" {
		t.Errorf("answered by %s, want old", got.body)
	}
}

func TestBehaviour_maintenanceKeepsItsMessageThroughDeploysAndRestarts(t *testing.T) {
	p := startProxy(t)
	app := startTarget(t, "app", nil)
	pages := filepath.Join(p.home, "pages")
	if err := os.MkdirAll(pages, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pages, "503.html"), []byte("<p>{{ .Message }}</p>"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.deploy("web", app.address, "--error-pages", pages)
	p.do("stop", "web", "--message", "Back <soon>")
	look := func() {
		t.Helper()
		got := p.ask("GET", "a.test", "/", "Accept: text/html")
		if got.status != 503 || !strings.Contains(got.body, "<p>Back &lt;soon&gt;</p>") {
			t.Errorf("got %d %q, want the page with the message", got.status, got.body)
		}
		p.want("a.test", "/up", 200) // a load balancer in front keeps the machine
	}
	look()
	p.deploy("web", app.address, "--error-pages", pages)
	look()
	p.restart()
	look()
	p.do("resume", "web")
	p.want("a.test", "/", 200)
}

func TestBehaviour_aPauseHoldsRequestsUpToItsTime(t *testing.T) {
	p := startProxy(t)
	p.deploy("web", startTarget(t, "app", nil).address)
	p.do("pause", "web", "--max-pause", "15s")
	held := make(chan answer, 5)
	for range cap(held) {
		go func() { held <- p.ask("GET", "a.test", "/") }()
	}
	select {
	case got := <-held:
		t.Errorf("a request was answered %d while paused", got.status)
	case <-time.After(300 * time.Millisecond):
	}
	p.want("a.test", "/up", 200)
	p.do("resume", "web")
	for range cap(held) {
		if got := <-held; got.status != 200 {
			t.Errorf("a held request got %d, %v", got.status, got.err)
		}
	}
	p.do("pause", "web", "--max-pause", "200ms")
	p.want("a.test", "/", 504)
}

func TestBehaviour_readersAndWriters(t *testing.T) {
	p := startProxy(t)
	quiet := false
	writer := startTarget(t, "", func(w http.ResponseWriter, _ *http.Request) {
		if quiet {
			w.Header().Set("X-Writer-Affinity", "false")
		}
		_, _ = w.Write([]byte("writer"))
	})
	p.deploy("web", writer.address, "--read-target", startTarget(t, "reader", nil).address, "--writer-affinity-timeout", "1m")
	if got := p.want("a.test", "/", 200); got.body != "reader" {
		t.Errorf("GET: answered by %s", got.body)
	}
	got := p.ask("POST", "a.test", "/")
	cookie, err := http.ParseSetCookie(got.header.Get("Set-Cookie"))
	if got.body != "writer" || err != nil || cookie.Name != "kamal-writer" || !cookie.HttpOnly || cookie.Path != "/" {
		t.Fatalf("POST: answered by %s with %v", got.body, got.header)
	}
	if until, err := strconv.ParseInt(cookie.Value, 10, 64); err != nil || time.UnixMilli(until).Before(time.Now()) {
		t.Errorf("got value %q, want a time to come in milliseconds", cookie.Value)
	}
	if got := p.ask("GET", "a.test", "/", "Cookie: kamal-writer="+cookie.Value); got.body != "writer" || got.header.Get("Set-Cookie") != "" {
		t.Errorf("GET behind a write: answered by %s with %v", got.body, got.header)
	}
	quiet = true
	if got := p.ask("POST", "a.test", "/"); got.header.Get("Set-Cookie") != "" || got.header.Get("X-Writer-Affinity") != "" {
		t.Errorf("POST that opts out: got %v", got.header)
	}
}

func TestBehaviour_rolloutByCookie(t *testing.T) {
	p := startProxy(t)
	p.deploy("web", startTarget(t, "active", nil).address)
	p.do("rollout", "deploy", "web", "--target", startTarget(t, "rollout", nil).address)
	p.do("rollout", "set", "web", "--percent=21", "--list=a,b")
	for visitor, want := range map[string]string{
		"": "active", "a": "rollout", "b": "rollout", "c": "active",
		"1": "rollout", // its hash is at 20.3 %
	} {
		if got := p.ask("GET", "a.test", "/", "Cookie: kamal-rollout="+visitor); got.body != want {
			t.Errorf("visitor %q: answered by %s, want %s", visitor, got.body, want)
		}
	}
	p.deploy("web", startTarget(t, "next", nil).address)
	if got := p.ask("GET", "a.test", "/", "Cookie: kamal-rollout=a"); got.body != "rollout" {
		t.Errorf("after a deploy: answered by %s, want rollout", got.body)
	}
	p.restart()
	if got := p.ask("GET", "a.test", "/", "Cookie: kamal-rollout=a"); got.body != "rollout" {
		t.Errorf("after a restart: answered by %s, want rollout", got.body)
	}
	p.do("rollout", "stop", "web")
	if got := p.ask("GET", "a.test", "/", "Cookie: kamal-rollout=a"); got.body != "next" {
		t.Errorf("after the stop: answered by %s, want next", got.body)
	}
}

func TestBehaviour_headersToTheTarget(t *testing.T) {
	p := startProxy(t)
	app := startTarget(t, "app", nil)
	p.deploy("web", app.address)
	p.ask("GET", "a.test:81", "/", "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https", "X-Request-Id: mine", "X-Request-Start: t=1", "X-Kamal-Target: outer")
	r := app.last(t)
	for name, want := range map[string]string{
		"X-Forwarded-For": "9.9.9.9, 127.0.0.1", "X-Forwarded-Proto": "https", "X-Request-Id": "mine", "X-Request-Start": "t=1",
		"X-Kamal-Target": "outer, " + app.address, "X-Forwarded-Host": "a.test:81",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if r.Host != "a.test:81" {
		t.Errorf("got host %q, want the client's", r.Host)
	}
	p.deploy("web", app.address, "--forward-headers=false")
	p.ask("GET", "a.test", "/", "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https")
	head := app.last(t).Header
	if head.Get("X-Forwarded-For") != "127.0.0.1" || head.Get("X-Forwarded-Proto") != "http" || head.Get("X-Request-Id") == "" ||
		!strings.HasPrefix(head.Get("X-Request-Start"), "t=") || head.Get("X-Kamal-Target") != app.address {
		t.Errorf("got %v, want only what the proxy knows", head)
	}
}

func TestBehaviour_cookiesBelowAPrefix(t *testing.T) {
	p := startProxy(t)
	app := startTarget(t, "", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "a=1; Path=/x; HttpOnly") })
	p.deploy("web", app.address, "--path-prefix", "/api", "--scope-cookie-paths")
	if got := p.want("a.test", "/api/y", 200).header.Get("Set-Cookie"); got != "a=1; Path=/api/x; HttpOnly" {
		t.Errorf("got cookie %q, want the path below the prefix", got)
	}
}
