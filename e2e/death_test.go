package e2e

import (
	"fmt"
	"testing"
	"time"
)

// One of three targets dies by SIGKILL under load: what it had accepted is asked
// again elsewhere, it leaves the rotation, and it is back soon after it returns.
func TestTargetDeath_failsNoGET(t *testing.T) {
	const interval = time.Second
	p := startProxy(t, proxyOptions{})
	var apps []*app
	for _, version := range []string{"a", "b", "c"} {
		apps = append(apps, startApp(t, version, "--listen", freeAddress(t)))
	}
	p.do(t, "deploy", "web", "--target", apps[0].address, "--target", apps[1].address, "--target", apps[2].address)
	traffic := startLoad(t, p.address, getModes)
	waitFor(t, 10*time.Second, "all targets to answer", func() bool { return len(traffic.Report().Versions) == 3 })

	for round := range scale(6, 30) {
		victim := apps[round%len(apps)]
		victim.kill()
		out := waitFor(t, slack(time.Second), "the dead target to be unhealthy", func() bool {
			info, found := p.target(t, "web", victim.address)
			return found && info.Health == "unhealthy"
		})
		reborn := startApp(t, fmt.Sprint("again", round), "--listen", victim.address)
		back := waitFor(t, slack(interval), "the target to get requests again", func() bool {
			return reborn.stats(t).Requests > 0
		})
		t.Logf("round %d: out of rotation after %v, back %v after its return", round, out, back)
		apps[round%len(apps)] = reborn
		let(t, 100*time.Millisecond) // under load, with connections to it kept
	}
	traffic.expectNoFailure(t)
}

// With nobody left to ask, clients get a clear answer, at once.
func TestTargetDeath_ofTheLastOneIsAnswered503AtOnce(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	only := startApp(t, "only")
	p.do(t, "deploy", "web", "--target", only.address)
	only.kill()
	waitFor(t, slack(5*time.Second), "the dead target to be unhealthy", func() bool {
		info, found := p.target(t, "web", only.address)
		return found && info.Health == "unhealthy"
	})
	began := time.Now()
	status, _, _ := ask(t, p.address, host, "/")
	if took := time.Since(began); status != 503 || took > slack(500*time.Millisecond) {
		t.Errorf("answer = %d after %v, want 503 at once", status, took)
	}
}
