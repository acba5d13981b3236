package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// rss is the memory that a process has now and had at most, in bytes; ok is false
// where /proc does not say.
func (p *process) rss() (now, most int64, ok bool) {
	text, err := os.ReadFile(filepath.Join("/proc", itoa(p.cmd.Process.Pid), "status"))
	if err != nil {
		return 0, 0, false
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			now = n << 10
		case "VmHWM":
			most = n << 10
		}
	}
	return now, most, now > 0
}

// counter is one of the counters of a running proxyd.
func (p *proxy) counter(t testing.TB, name string) uint64 {
	t.Helper()
	n, known := p.status(t).Counters[name]
	if !known {
		t.Fatalf("there is no counter %s", name)
	}
	return n
}

// Thousands of slow uploads fill the memory that proxyd may have. It sheds, lives,
// answers everybody who asks, and is as before once they are gone.
func TestMemory_isShedUnderSlowUploads(t *testing.T) {
	const mib = 1 << 20
	limit, uploads := scale(40, 100), scale(3000, 10_000)
	dir := shortFolder(t)
	config := filepath.Join(dir, "proxy.yml")
	// Only memory is to end them, however long this machine takes.
	if err := os.WriteFile(config, []byte("limits: {body_rate: off, body_timeout: 10m}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, proxyOptions{dir: dir, config: config, env: []string{fmt.Sprintf("GOMEMLIMIT=%dMiB", limit)}})
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	before, _, _ := p.rss()

	ask := startProbe(p)
	clients := connectClients(t, p.address, uploads, "POST /echo HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000000\r\n\r\nx")
	waitFor(t, slack(30*time.Second), "requests to be shed", func() bool { return p.counter(t, "upfront_requests_shed_total") > 0 })
	let(t, 2*time.Second)
	now, most, known := p.rss()
	shed := p.counter(t, "upfront_requests_shed_total")
	t.Logf("%d uploads, of which %d are connected and %d were shed; RSS %d MiB before, %d MiB now, %d MiB at most, limit %d MiB",
		uploads, p.counter(t, "upfront_connections"), shed, before/mib, now/mib, most/mib, limit)
	if known && !race() && most > int64(limit)*mib*3/2 {
		t.Errorf("RSS rose to %d MiB, want a bound near %d MiB", most/mib, limit)
	}
	clients.close()
	took := waitFor(t, slack(10*time.Second), "everything to be as before", func() bool {
		status, err := tryGet(p.address, 10*time.Second)
		return err == nil && status == 200 && p.counter(t, "upfront_memory_pressure") == 0
	})
	served, refused := ask.stop(t)
	t.Logf("another client was answered %d times and refused %d times; all was as before %v after the uploads", served, refused, took)
	if _, most, _ := p.rss(); known && !race() && most > int64(limit)*mib*3/2 {
		t.Errorf("RSS rose to %d MiB when they left, want a bound near %d MiB", most/mib, limit)
	}
	if served+refused == 0 || !strings.Contains(p.log.String(), "Memory is short") {
		t.Error("want answers, and a warning in the log")
	}
}

// probe is a client that asks again and again.
type probe struct {
	end             context.CancelFunc
	ended           chan struct{}
	served, refused int // owner: the goroutine, then who waited for ended
	failures        []error
}

// startProbe asks until stop. Each answer has to come within a generous time.
func startProbe(p *proxy) *probe {
	ctx, cancel := context.WithCancel(context.Background())
	ask := &probe{end: cancel, ended: make(chan struct{})}
	go func() {
		defer close(ask.ended)
		for ctx.Err() == nil {
			switch status, err := tryGet(p.address, 30*time.Second); {
			case err != nil:
				ask.failures = append(ask.failures, err)
			case status == 200:
				ask.served++
			case status == 503:
				ask.refused++
			default:
				ask.failures = append(ask.failures, fmt.Errorf("answer %d", status))
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	return ask
}

// stop ends it; whatever is neither 200 nor 503 fails the test.
func (ask *probe) stop(t *testing.T) (served, refused int) {
	t.Helper()
	ask.end()
	<-ask.ended
	for _, err := range ask.failures {
		t.Errorf("another client: %v", err)
	}
	return ask.served, ask.refused
}
