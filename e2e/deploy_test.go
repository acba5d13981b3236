package e2e

import (
	"testing"
	"time"

	"upfront/internal/load"
)

// The promise: deploy after deploy under every kind of load, the old app killed
// the moment proxyctl returns, and nobody sees a failed request.
func TestDeploy_underLoadFailsNoRequest(t *testing.T) {
	t.Run("streamed", func(t *testing.T) { deployUnderLoad(t) })
	t.Run("buffered", func(t *testing.T) { deployUnderLoad(t, buffered...) })
}

// buffered are the flags of a deploy whose bodies are buffered, those of 64 KB in a
// file.
var buffered = []string{"--buffer-requests", "--buffer-responses", "--buffer-memory", "16384"}

func deployUnderLoad(t *testing.T, flags ...string) {
	deploys := scale(6, 50)
	p := startProxy(t, proxyOptions{})
	deploy := func(a *app) {
		p.do(t, append([]string{"deploy", "web", "--target", a.address, "--drain-timeout", "2500ms"}, flags...)...)
	}
	old := startApp(t, "v0")
	deploy(old)
	traffic := startLoad(t, p.address, allModes)
	for i := 1; i <= deploys; i++ {
		// Streams last 1.5s and must not be cut; WebSockets have to move.
		next := startApp(t, "v"+itoa(i), "--ready-after", "200ms")
		deploy(next)
		returned := time.Now()
		old.kill()
		if v, found := traffic.Report().Version("v" + itoa(i-1)); !found || v.LastSent.After(returned) {
			t.Errorf("v%d got a request after its successor was deployed: %+v", i-1, v)
		}
		old = next
	}
	let(t, 2*time.Second)
	report := traffic.expectNoFailure(t)
	if got, want := len(report.Versions), deploys+1; got != want {
		t.Errorf("load saw %d versions, want %d", got, want)
	}
	if report.Moved() == 0 {
		t.Error("no WebSocket was moved with 1001, although each deploy had to")
	}
	for _, w := range allModes {
		if report.Mode(w.Mode).Requests == 0 {
			t.Errorf("no request of mode %s", w.Mode)
		}
	}
	if m := report.Mode(load.Stream); m.FirstByte.P50 > m.Latency.P50/2 {
		t.Errorf("first piece of a stream after %v of %v: answers are not streamed", m.FirstByte.P50, m.Latency.P50)
	}
}

func TestDeploy_theSetOfTargetsIsReplacedAsAWhole(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	a, b, c := startApp(t, "a"), startApp(t, "b"), startApp(t, "c")
	p.do(t, "deploy", "web", "--target", a.address, "--target", b.address)
	traffic := startLoad(t, p.address, getModes)
	waitFor(t, 10*time.Second, "both targets to answer", func() bool { return len(traffic.Report().Versions) == 2 })
	p.do(t, "add", "web", c.address)
	waitFor(t, 10*time.Second, "the added target to answer", func() bool { return len(traffic.Report().Versions) == 3 })
	p.do(t, "remove", "web", a.address)
	a.kill()
	p.do(t, "deploy", "web", "--target", c.address)
	b.kill()
	traffic.expectNoFailure(t)
	info, err := p.client.Service(t.Context(), "web")
	if err != nil || len(info.Targets) != 1 || info.Targets[0].Address != c.address {
		t.Errorf("service = %+v, %v, want only %s", info, err, c.address)
	}
}

func TestRollback_returnsToThePreviousSet(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	v1, v2 := startApp(t, "v1"), startApp(t, "v2")
	p.do(t, "deploy", "web", "--target", v1.address)
	traffic := startLoad(t, p.address, getModes)
	p.do(t, "deploy", "web", "--target", v2.address)
	p.do(t, "rollback", "web")
	returned := time.Now()
	v2.kill()
	waitFor(t, 10*time.Second, "v1 to answer again", func() bool {
		v, _ := traffic.Report().Version("v1")
		return v.LastSent.After(returned)
	})
	traffic.expectNoFailure(t)
	// v2 is what a rollback would return to now, and it is dead.
	status, _, stderr := p.ctl(t, "rollback", "web", "--deploy-timeout", "500ms")
	if status == 0 || stderr == "" {
		t.Errorf("rollback to a dead version: status %d, %q, want a refusal", status, stderr)
	}
	if status, _, header := ask(t, p.address, host, "/"); status != 200 || header.Get("X-Version") != "v1" {
		t.Errorf("answer after a refused rollback = %d of %q, want 200 of v1", status, header.Get("X-Version"))
	}
}
