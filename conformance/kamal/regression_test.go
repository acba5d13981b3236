package kamal

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The faults that kamal-proxy v0.9.2 was seen to have. What each is called is what
// must be true instead.

func TestRegression_oneBadServiceCostsNoOtherAtARestart(t *testing.T) {
	p := startProxy(t)
	web, other := startTarget(t, "web", nil), startTarget(t, "other", nil)
	pages := filepath.Join(p.home, "pages")
	if err := os.Mkdir(pages, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pages, "503.html"), []byte("closed"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.deploy("other", other.address, "--host", "other.test")
	p.deploy("web", web.address, "--host", "web.test", "--error-pages", pages)
	if err := os.RemoveAll(pages); err != nil { // as Kamal does right after a deploy
		t.Fatal(err)
	}
	p.restart()
	p.want("other.test", "/", 200)
	p.want("web.test", "/", 200)
	// The next deploy must not write down that they are gone.
	p.deploy("third", other.address, "--host", "third.test")
	p.restart()
	p.want("other.test", "/", 200)
	p.want("third.test", "/", 200)
}

func TestRegression_resumeWhileADrainIsRunningLetsRequestsThrough(t *testing.T) {
	for _, verb := range []string{"pause", "stop"} {
		t.Run(verb, func(t *testing.T) {
			p := startProxy(t)
			began, release := make(chan struct{}, 8), make(chan struct{})
			app := startTarget(t, "", func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					began <- struct{}{}
					<-release
				}
			})
			p.deploy("web", app.address)
			slow := make(chan answer, 1)
			go func() { slow <- p.ask("GET", "a.test", "/slow") }()
			<-began
			draining := make(chan result, 1)
			go func() { draining <- p.try(verb, "web", "--drain-timeout", "15s") }()
			eventually(t, "the service is closed", func() bool { return !strings.Contains(p.try("list").stdout, "running") })
			p.do("resume", "web")
			for range 10 {
				p.want("a.test", "/", 200)
			}
			close(release)
			if got := <-slow; got.status != 200 {
				t.Errorf("the slow request: got %d, %v", got.status, got.err)
			}
			if got := <-draining; got.status != 0 {
				t.Errorf("%s: got %+v", verb, got)
			}
		})
	}
}

func TestRegression_aLoneTargetIsProbedAgain(t *testing.T) {
	p := startProxy(t)
	app := startTarget(t, "app", nil)
	p.deploy("web", app.address)
	before := app.probes.Load()
	eventually(t, "the target is probed three times more", func() bool { return app.probes.Load() >= before+3 })
}

func TestRegression_aDeadTargetOfTwoFailsNoRequest(t *testing.T) {
	p := startProxy(t)
	a, b := startTarget(t, "a", nil), startTarget(t, "b", nil)
	p.do("deploy", "web", "--target", a.address, "--target", b.address, "--health-check-interval", "5s")
	_ = b.server.Close()
	for i := range 16 {
		if got := p.ask("GET", "a.test", "/"); got.status != 200 {
			t.Errorf("request %d: got %d, %v", i, got.status, got.err)
		}
	}
}

func TestRegression_removeDrains(t *testing.T) {
	p := startProxy(t)
	began, release := make(chan struct{}), make(chan struct{})
	app := startTarget(t, "", func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(began)
			<-release
		}
	})
	p.deploy("web", app.address)
	slow := make(chan answer, 1)
	go func() { slow <- p.ask("GET", "a.test", "/slow") }()
	<-began
	var got result
	removed := make(chan struct{})
	go func() {
		got = p.try("remove", "web")
		close(removed)
	}()
	eventually(t, "the route is gone", func() bool { return p.ask("GET", "a.test", "/").status == 404 })
	select {
	case <-removed:
		t.Errorf("remove returned with a request in flight: %+v", got)
	case <-time.After(300 * time.Millisecond):
	}
	close(release)
	if got := <-slow; got.status != 200 {
		t.Errorf("the request in flight: got %d, %v", got.status, got.err)
	}
	if <-removed; got.status != 0 {
		t.Errorf("remove: got %+v", got)
	}
}

func TestRegression_a404BehindA103StaysOne(t *testing.T) {
	p := startProxy(t)
	p.deploy("web", startRaw(t, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"+
		"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnone"), "--buffer-requests", "--buffer-responses")
	if got := p.want("a.test", "/", 404); got.body != "none" {
		t.Errorf("got body %q, want the target's", got.body)
	}
}

func TestRegression_chunkedAnswersAreNotHeldBack(t *testing.T) {
	p := startProxy(t)
	first := make(chan struct{})
	app := startTarget(t, "", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		select {
		case <-first: // the client has it
			_, _ = io.WriteString(w, "second\n")
		case <-r.Context().Done():
		}
	})
	p.deploy("web", app.address, "--buffer-requests", "--buffer-responses")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("the first line waits for the second: %v", err)
	}
	defer res.Body.Close()
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); line != "first\n" {
		t.Fatalf("got %q, %v, want the first line", line, err)
	}
	close(first)
}

func TestRegression_trailersArePassedOn(t *testing.T) {
	p := startProxy(t)
	app := startTarget(t, "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
	})
	p.deploy("web", app.address, "--buffer-requests", "--buffer-responses")
	res, err := http.Get("http://" + p.address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	if got := res.Trailer.Get("X-Sum"); got != "42" {
		t.Errorf("got trailer %q, want 42", got)
	}
}

func TestRegression_noCompressionThatNobodyAskedFor(t *testing.T) {
	p := startProxy(t)
	app := startTarget(t, "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"1"`)
		w.Header().Set("Content-Length", "4")
		_, _ = io.WriteString(w, "body")
	})
	p.deploy("web", app.address)
	got := p.want("a.test", "/", 200)
	if asked := app.last(t).Header.Get("Accept-Encoding"); asked != "" {
		t.Errorf("the target was asked for %q", asked)
	}
	if got.header.Get("Content-Length") != "4" || got.header.Get("Etag") != `"1"` {
		t.Errorf("got head %v, want the target's length and tag", got.header)
	}
}

func TestRegression_strippingAPrefixDecodesNothing(t *testing.T) {
	p := startProxy(t)
	app := startTarget(t, "app", nil)
	p.deploy("web", app.address, "--path-prefix", "/api")
	p.want("a.test", "/api/a%2Fb?x=1;y", 200)
	if got := app.last(t).RequestURI; got != "/a%2Fb?x=1;y" {
		t.Errorf("the target was asked for %q, want /a%%2Fb?x=1;y", got)
	}
}

func TestRegression_hostsAreComparedWithoutCaseAndDot(t *testing.T) {
	p := startProxy(t)
	p.deploy("web", startTarget(t, "app", nil).address, "--host", "app.test")
	for _, host := range []string{"app.test", "APP.test", "app.test.", "App.Test:8080"} {
		p.want(host, "/", 200)
	}
}

func TestRegression_aBodyLimitHoldsWithoutBuffering(t *testing.T) {
	p := startProxy(t)
	app := startTarget(t, "app", nil)
	p.deploy("web", app.address, "--buffer-requests=false", "--max-request-body", "10")
	for body, want := range map[string]int{"0123456789": 200, "0123456789a": 413} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if got := ask(ctx, p.address, "POST", "a.test", "/", strings.NewReader(body)); got.status != want {
			t.Errorf("%d bytes: got %d, %v, want %d", len(body), got.status, got.err, want)
		}
		cancel()
	}
}

func TestRegression_aPercentageThatIsNoneIsRefused(t *testing.T) {
	p := startProxy(t)
	a, b := startTarget(t, "a", nil), startTarget(t, "b", nil)
	p.deploy("web", a.address)
	p.do("rollout", "deploy", "web", "--target", b.address)
	for _, percent := range []string{"250", "-5"} {
		if got := p.try("rollout", "set", "web", "--percent="+percent); got.status != 1 || got.stderr == "" {
			t.Errorf("--percent=%s: got %+v, want a refusal", percent, got)
		}
	}
}

func TestRegression_rolloutStopForgetsTheTargets(t *testing.T) {
	p := startProxy(t)
	a, b, c := startTarget(t, "a", nil), startTarget(t, "b", nil), startTarget(t, "c", nil)
	p.deploy("web", a.address)
	// Two, for a lone one is not probed again by kamal-proxy anyway.
	p.do("rollout", "deploy", "web", "--target", b.address, "--target", c.address)
	p.do("rollout", "set", "web", "--percent=100")
	p.do("rollout", "stop", "web")
	wantUnprobed(t, b)
}

// wantUnprobed checks that nobody probes an app any more.
func wantUnprobed(t *testing.T, a *target) {
	t.Helper()
	for range 10 { // what was under way may still come
		before := a.probes.Load()
		if during(500*time.Millisecond, func() bool { return a.probes.Load() == before }) {
			return
		}
	}
	t.Error("the app is probed for ever")
}

func TestRegression_aDeployThatFailsLeavesNoProbes(t *testing.T) {
	p := startProxy(t)
	a, b, c := startTarget(t, "a", nil), startTarget(t, "b", nil), startTarget(t, "c", nil)
	p.deploy("web", a.address, "--host", "web.test")
	for range 5 {
		got := p.try("deploy", "other", "--target", b.address, "--target", c.address, "--host", "web.test", "--health-check-interval", "100ms")
		if got.status != 1 || !strings.HasPrefix(got.stderr, "Error: host settings conflict with another service") {
			t.Fatalf("got %+v, want a conflict", got)
		}
	}
	wantUnprobed(t, b)
}

func TestRegression_redeploysLeaveNoConnections(t *testing.T) {
	p := startProxy(t)
	app := startTarget(t, "app", nil)
	const deploys = 20
	for range deploys {
		p.deploy("web", app.address)
		p.want("a.test", "/", 200)
	}
	eventually(t, "the connections of replaced deploys are closed", func() bool { return app.open.Load() < deploys/2 })
}

func TestRegression_theClientsAddressReachesATargetThatForwardsNothing(t *testing.T) {
	p := startProxy(t)
	app := startTarget(t, "app", nil)
	p.deploy("web", app.address, "--forward-headers=false", "--client-ip-header", "CF-Connecting-IP")
	p.ask("GET", "a.test", "/", "CF-Connecting-IP: 9.9.9.9", "X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6", "X-Forwarded-Port: 6666")
	head := app.last(t).Header
	if got := head.Get("X-Forwarded-For"); !strings.HasPrefix(got, "9.9.9.9") || strings.Contains(got, "6.6.6.6") {
		t.Errorf("got X-Forwarded-For %q, want 9.9.9.9 first", got)
	}
	if head.Get("X-Real-IP") == "6.6.6.6" || head.Get("X-Forwarded-Port") == "6666" {
		t.Errorf("what the client says of itself reached the target: %v", head)
	}
}

func TestRegression_aWebSocketIsClosedWithAFrameAfterAGrace(t *testing.T) {
	p := startProxy(t)
	app := startTarget(t, "", func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(io.Discard, conn)
	})
	p.deploy("web", app.address)
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(conn)
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 101 {
		t.Fatalf("got %v, %v, want a 101", res, err)
	}
	began := time.Now()
	next, deployed := startTarget(t, "next", nil), make(chan result, 1)
	go func() { deployed <- p.try("deploy", "web", "--target", next.address, "--drain-timeout", "1s") }()
	frame := make([]byte, 4)
	if _, err := io.ReadFull(r, frame); err != nil {
		t.Fatalf("the WebSocket ended without a frame after %v: %v", time.Since(began), err)
	}
	if frame[0] != 0x88 || frame[2] != 0x03 || frame[3] != 0xe9 {
		t.Errorf("got frame % x, want a close frame with 1001", frame)
	}
	_ = conn.Close()
	if got := <-deployed; got.status != 0 {
		t.Errorf("deploy: got %+v", got)
	}
}

func TestRegression_deploysUnderLoadFailNoRequest(t *testing.T) {
	p := startProxy(t)
	apps := []*target{startTarget(t, "a", nil), startTarget(t, "b", nil)}
	p.deploy("web", apps[0].address)
	var asked, failed atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		client := &http.Client{Timeout: patience}
		for {
			select {
			case <-stop:
				return
			default:
			}
			res, err := client.Get("http://" + p.address + "/")
			asked.Add(1)
			if err != nil || res.StatusCode != 200 {
				failed.Add(1)
			}
			if err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		}
	}()
	for i := range 10 {
		p.deploy("web", apps[(i+1)%2].address)
	}
	close(stop)
	<-stopped
	if failed.Load() > 0 || asked.Load() == 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}
}
