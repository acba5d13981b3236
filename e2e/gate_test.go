package e2e

import (
	"html"
	"strings"
	"testing"
	"time"

	"upfront/internal/load"
)

// Requests that arrive during a pause wait, and are answered after it.
func TestPause_holdsRequestsUntilResume(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	traffic := startLoad(t, p.address, getModes)
	const pause = 700 * time.Millisecond
	for range scale(3, 20) {
		p.do(t, "pause", "web")
		before := app.stats(t).Requests
		let(t, pause)
		if now := app.stats(t).Requests; now != before {
			t.Errorf("target got %d requests while paused", now-before)
		}
		p.do(t, "resume", "web")
		waitFor(t, 10*time.Second, "requests to flow again", func() bool { return app.stats(t).Requests > before })
	}
	report := traffic.expectNoFailure(t)
	if got := report.Mode(load.KeepAlive).Latency.Max; got < pause {
		t.Errorf("slowest request took %v: none was held for the pause of %v", got, pause)
	}
}

// A deploy during a pause is how migrations are run: the held requests go to the
// new version.
func TestPause_heldRequestsGoToTheNewVersion(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	v1, v2 := startApp(t, "v1"), startApp(t, "v2")
	p.do(t, "deploy", "web", "--target", v1.address)
	traffic := startLoad(t, p.address, getModes)
	p.do(t, "pause", "web")
	p.do(t, "deploy", "web", "--target", v2.address)
	v1.kill()
	p.do(t, "resume", "web")
	waitFor(t, 10*time.Second, "v2 to answer", func() bool { _, found := traffic.Report().Version("v2"); return found })
	traffic.expectNoFailure(t)
}

func TestStop_answersTheMaintenancePageUntilResume(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	const message = "Back at <noon> & later"
	p.do(t, "stop", "web", "--message", message)
	status, body, header := ask(t, p.address, host, "/")
	// As text it stands as it was given, as HTML it must be escaped.
	want := message
	if strings.HasPrefix(header.Get("Content-Type"), "text/html") {
		want = html.EscapeString(message)
	}
	if status != 503 || !strings.Contains(body, want) {
		t.Errorf("answer while stopped = %d %q, want 503 with %q", status, body, want)
	}
	if info, err := p.client.Service(t.Context(), "web"); err != nil || info.Gate != "stopped" {
		t.Errorf("gate = %q, %v, want stopped", info.Gate, err)
	}
	p.do(t, "resume", "web")
	if status, _, _ := ask(t, p.address, host, "/"); status != 200 {
		t.Errorf("answer after resume = %d, want 200", status)
	}
}

func TestStop_outlivesARestart(t *testing.T) {
	p := startProxy(t, proxyOptions{http: freeAddress(t)})
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	p.do(t, "stop", "web", "--message", "Closed")
	p.kill()
	p = startProxy(t, p.options)
	if status, body, _ := ask(t, p.address, host, "/"); status != 503 || !strings.Contains(body, "Closed") {
		t.Errorf("answer after a restart = %d %q, want 503 Closed", status, body)
	}
}
