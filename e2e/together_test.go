package e2e

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// Twenty scripts deploy the same service at once: one after the other is served,
// one set is left, and nobody else is probed any longer.
func TestDeploy_manyAtOnceLeaveExactlyOneSet(t *testing.T) {
	const deploys = 20
	p := startProxy(t, proxyOptions{})
	apps := make([]*app, deploys)
	for i := range apps {
		apps[i] = startApp(t, "v"+itoa(i))
	}
	first := startApp(t, "first")
	p.do(t, "deploy", "web", "--target", first.address)
	traffic := startLoad(t, p.address, getModes)
	var wait sync.WaitGroup
	for _, a := range apps {
		wait.Go(func() {
			if status, _, stderr := p.ctl(t, "deploy", "web", "--target", a.address); status != 0 {
				t.Errorf("deploy of %s: status %d: %s", a.address, status, stderr)
			}
		})
	}
	wait.Wait()
	info, err := p.client.Service(t.Context(), "web")
	if err != nil || len(info.Targets) != 1 {
		t.Fatalf("service = %+v, %v, want exactly one target", info, err)
	}
	last := slices.IndexFunc(apps, func(a *app) bool { return a.address == info.Targets[0].Address })
	if last < 0 {
		t.Fatalf("target %s is none of those deployed", info.Targets[0].Address)
	}
	expectOneProbed(t, apps, last)
	traffic.expectNoFailure(t)
}

// expectOneProbed fails the test when another app than apps[last] is probed.
func expectOneProbed(t *testing.T, apps []*app, last int) {
	t.Helper()
	let(t, 300*time.Millisecond) // for probes that were under way
	before := make([]int64, len(apps))
	for i, a := range apps {
		before[i] = a.stats(t).UpHits
	}
	waitFor(t, 10*time.Second, "two more probes of the live target", func() bool {
		return apps[last].stats(t).UpHits >= before[last]+2
	})
	for i, a := range apps {
		if now := a.stats(t).UpHits; i != last && now != before[i] {
			t.Errorf("replaced target %s is still probed: %d times more", a.address, now-before[i])
		}
	}
}

func TestDeploy_supersedeCancelsTheOneThatWaits(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	stuck, good := startApp(t, "stuck", "--ready-after", "1h"), startApp(t, "good")
	waiting := start(t, ctlCommand(t, p, "deploy", "web", "--target", stuck.address, "--deploy-timeout", "1m"))
	waitFor(t, 10*time.Second, "the first probe", func() bool { return stuck.stats(t).UpHits > 0 })
	p.do(t, "deploy", "web", "--target", good.address, "--supersede")
	if status := waiting.exit(t, 10*time.Second); status == 0 {
		t.Error("exit status 0 of a superseded deploy")
	}
	if _, _, header := ask(t, p.address, host, "/"); header.Get("X-Version") != "good" {
		t.Errorf("answer of %q, want good", header.Get("X-Version"))
	}
}
