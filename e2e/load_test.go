package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"upfront/internal/load"
	"upfront/internal/testtarget"
)

// host is what clients ask for; services of the tests answer every host unless
// the test is about hosts.
const host = "app.test"

// allModes is load of every kind, paced so that the programs under test, not the
// load, have the processor.
var allModes = []load.Workers{
	{Mode: load.KeepAlive, Connections: 4, Pace: 5 * time.Millisecond},
	{Mode: load.NewConnections, Connections: 2, Pace: 10 * time.Millisecond},
	{Mode: load.Post, Connections: 2, Pace: 20 * time.Millisecond},
	{Mode: load.Stream, Connections: 4},
	{Mode: load.WebSocket, Connections: 4, Pace: 20 * time.Millisecond},
}

// getModes is load without anything that lasts.
var getModes = []load.Workers{
	{Mode: load.KeepAlive, Connections: 6, Pace: 4 * time.Millisecond},
	{Mode: load.NewConnections, Connections: 2, Pace: 8 * time.Millisecond},
}

// traffic is load in the background.
type traffic struct {
	*load.Generator
	stop func() *load.Report
}

// startLoad puts load on address until stop is called; the first answer has
// arrived when it returns.
func startLoad(t testing.TB, address string, workers []load.Workers) *traffic {
	t.Helper()
	return startLoadOf(t, load.Options{Address: address, Host: host, Workers: workers})
}

func startLoadOf(t testing.TB, o load.Options) *traffic {
	t.Helper()
	g, err := load.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		_ = g.Run(ctx) // always nil; failures are in the report
		close(done)
	}()
	stop := func() *load.Report {
		cancel()
		<-done
		return g.Report()
	}
	t.Cleanup(func() { stop() })
	waitFor(t, 10*time.Second, "the first answer under load", func() bool { return g.Report().Requests > 0 })
	return &traffic{Generator: g, stop: stop}
}

// expectNoFailure stops the load and fails the test when a request failed.
func (l *traffic) expectNoFailure(t testing.TB) *load.Report {
	t.Helper()
	report := l.stop()
	if name := os.Getenv("UPFRONT_E2E_REPORTS"); name != "" {
		writeReport(t, filepath.Join(name, strings.ReplaceAll(t.Name(), "/", "_")+".json"), report)
	}
	if report.Failed > 0 {
		t.Errorf("requests failed:\n%s", report)
	} else {
		t.Logf("load:\n%s", report)
	}
	return report
}

func writeReport(t testing.TB, path string, report *load.Report) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := report.WriteJSON(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// ask makes one request over a connection of its own.
func ask(t testing.TB, address, forHost, path string) (status int, body string, header http.Header) {
	t.Helper()
	status, body, header, err := tryAsk(t.Context(), address, forHost, path)
	if err != nil {
		t.Fatalf("GET %s%s: %v", forHost, path, err)
	}
	return status, body, header
}

func tryAsk(ctx context.Context, address, forHost, path string) (status int, body string, header http.Header, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, "", nil, err
	}
	req.Host = forHost
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp.Header, err
}

// stats asks an app directly what it has seen.
func (a *app) stats(t testing.TB) testtarget.Stats {
	t.Helper()
	_, body, _ := ask(t, a.address, host, "/stats")
	var stats testtarget.Stats
	if err := json.Unmarshal([]byte(body), &stats); err != nil {
		t.Fatalf("stats of %s: %v in %q", a.address, err, body)
	}
	return stats
}

func itoa(n int) string { return strconv.Itoa(n) }

// quietAfter lets a probe that is under way end, returns how many there were
// then, and lets more than an interval pass, in which an orphan would probe.
func quietAfter(t testing.TB, a *app) (probes int64) {
	t.Helper()
	let(t, 300*time.Millisecond)
	probes = a.stats(t).UpHits
	let(t, 1500*time.Millisecond)
	return probes
}

// number reads a positive number from the environment.
func number(t testing.TB, key string, fallback int) int {
	t.Helper()
	text := os.Getenv(key)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s = %q: want a positive number", key, text)
	}
	return n
}
