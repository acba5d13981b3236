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

// A resume ends a drain that a pause or a stop still waits for, and no request that
// comes then or was there before is lost to it.
func TestResume_whileADrainIsRunning(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	for _, verb := range []string{"pause", "stop"} {
		slow := make(chan int, 1)
		go func() {
			status, _, _, _ := tryAsk(t.Context(), p.address, host, "/stream?pieces=20&millis=2000")
			slow <- status
		}()
		waitFor(t, 10*time.Second, "the slow request to be in flight", func() bool {
			target, _ := p.target(t, "web", app.address)
			return target.InFlight == 1
		})
		call := start(t, ctlCommand(t, p, verb, "web", "--drain-timeout", "60s"))
		call.drainStdout()
		waitFor(t, 10*time.Second, "the gate to be closed", func() bool {
			info, err := p.client.Service(t.Context(), "web")
			return err == nil && info.Gate != "running"
		})
		held := make(chan int, 1)
		go func() {
			status, _, _, _ := tryAsk(t.Context(), p.address, host, "/")
			held <- status
		}()
		p.do(t, "resume", "web")
		for range 20 {
			if status, body, _ := ask(t, p.address, host, "/"); status != 200 {
				t.Fatalf("%s: %d %s after the resume", verb, status, body)
			}
		}
		if status := <-held; status != 200 && verb == "pause" {
			t.Errorf("%s: the held request got %d", verb, status)
		}
		if status := call.exit(t, 10*time.Second); status != 0 {
			t.Errorf("%s: exit status %d: %s", verb, status, call.log.String())
		}
		if status := <-slow; status != 200 {
			t.Errorf("%s: the slow request got %d", verb, status)
		}
	}
}

// A service that is removed while it is paused lets go of what it holds.
func TestPause_removedServiceAnswers404(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	p.do(t, "pause", "web")
	held := make(chan int, 5)
	for range cap(held) {
		go func() {
			status, _, _, _ := tryAsk(t.Context(), p.address, host, "/")
			held <- status
		}()
	}
	before := app.stats(t).Requests
	let(t, 100*time.Millisecond)
	p.do(t, "remove", "web")
	for range cap(held) {
		if status := <-held; status != 404 {
			t.Errorf("a held request got %d, want 404", status)
		}
	}
	if now := app.stats(t).Requests; now != before {
		t.Errorf("target got %d requests", now-before)
	}
}
