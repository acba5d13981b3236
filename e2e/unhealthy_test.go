package e2e

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// sickness is one way in which a version never becomes healthy.
type sickness struct {
	name string
	// start returns the target's address and the flags for its deploy.
	start func(t *testing.T) (address string, flags []string)
	// says is what the one sentence on stderr must contain.
	says []string
}

var sicknesses = []sickness{
	{"503 with a failed check", func(t *testing.T) (string, []string) {
		return startApp(t, "sick", "--up-status", "503", "--up-body", `{"status":"error","checks":{"database":false}}`).address, nil
	}, []string{"503", "database=false"}},
	{"connection refused", func(t *testing.T) (string, []string) {
		return freeAddress(t), nil
	}, []string{"connection refused"}},
	{"hang", func(t *testing.T) (string, []string) {
		return startApp(t, "hang", "--mode", "hang").address, []string{"--health-check-timeout", "400ms"}
	}, []string{"/up"}},
	{"wrong port", func(t *testing.T) (string, []string) {
		// The app is well, but on another port than the one that is deployed.
		host, _, _ := net.SplitHostPort(startApp(t, "elsewhere").address)
		_, port, _ := net.SplitHostPort(freeAddress(t))
		return net.JoinHostPort(host, port), nil
	}, []string{"connection refused"}},
	{"reset", func(t *testing.T) (string, []string) {
		return startApp(t, "reset", "--mode", "reset").address, nil
	}, []string{"/up"}},
}

// deploySick deploys s and checks everything about the refusal.
func deploySick(t *testing.T, p *proxy, s sickness) {
	t.Helper()
	const timeout = time.Second
	address, flags := s.start(t)
	args := append([]string{"deploy", "web", "--target", address, "--deploy-timeout", timeout.String()}, flags...)
	began := time.Now()
	status, stdout, stderr := p.ctl(t, args...)
	took := time.Since(began)
	if status == 0 {
		t.Errorf("%s: exit status 0, stdout %q", s.name, stdout)
	}
	if took > timeout+slack(500*time.Millisecond) {
		t.Errorf("%s: refused after %v, want within --deploy-timeout %v", s.name, took, timeout)
	}
	sentence := strings.TrimSpace(stderr)
	if strings.Contains(sentence, "\n") {
		t.Errorf("%s: stderr is more than one line: %q", s.name, stderr)
	}
	for _, want := range append(s.says, address, "--deploy-timeout") {
		if !strings.Contains(sentence, want) {
			t.Errorf("%s: stderr = %q, want it to name %q", s.name, sentence, want)
		}
	}
}

func TestDeploy_ofASickVersionIsRefusedAndTrafficGoesOn(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	well := startApp(t, "well")
	p.do(t, "deploy", "web", "--target", well.address)
	traffic := startLoad(t, p.address, allModes)
	for _, s := range sicknesses {
		t.Run(s.name, func(t *testing.T) { deploySick(t, p, s) })
	}
	report := traffic.expectNoFailure(t)
	if len(report.Versions) != 1 {
		t.Errorf("versions that answered = %+v, want only the well one", report.Versions)
	}
}

// What a refused deploy started, it ends: after many there is as much left as
// after one.
func TestDeploy_ofASickVersionLeavesNothingBehind(t *testing.T) {
	after := func(deploys int) (goroutines int, dump string) {
		p := startProxy(t, proxyOptions{})
		p.do(t, "deploy", "web", "--target", startApp(t, "well").address)
		deploySick(t, p, sicknesses[0])
		before, listed := p.descriptors()
		for i := 1; i < deploys; i++ {
			deploySick(t, p, sicknesses[i%len(sicknesses)])
		}
		if listed {
			waitFor(t, 10*time.Second, "descriptors to be as before", func() bool {
				now, _ := p.descriptors()
				return now <= before
			})
		}
		return p.dump(t)
	}
	one, _ := after(1)
	many, dump := after(scale(6, 20))
	// A probe may be under way in either; a leak would be one for each deploy.
	if one == 0 || many > one+3 {
		t.Errorf("%d goroutines after many refused deploys, %d after one:\n%s", many, one, dump)
	}
}

// Ctrl-C of the deploy script takes back a deploy that was not published.
func TestDeploy_isCanceledByItsCaller(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	well := startApp(t, "well")
	p.do(t, "deploy", "web", "--target", well.address)
	slow := startApp(t, "slow", "--ready-after", "1h")
	caller := start(t, ctlCommand(t, p, "deploy", "web", "--target", slow.address, "--deploy-timeout", "1m"))
	waitFor(t, 10*time.Second, "the first probe", func() bool { return slow.stats(t).UpHits > 0 })
	caller.signal(t, os.Interrupt)
	if status := caller.exit(t, 10*time.Second); status == 0 {
		t.Error("exit status 0 of a canceled deploy")
	}
	hits := quietAfter(t, slow)
	if got := slow.stats(t).UpHits; got != hits {
		t.Errorf("probes of a canceled deploy go on: %d, then %d", hits, got)
	}
	if _, _, header := ask(t, p.address, host, "/"); header.Get("X-Version") != "well" {
		t.Errorf("answer of %q after a canceled deploy, want well", header.Get("X-Version"))
	}
}
