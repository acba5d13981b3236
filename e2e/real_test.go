package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"upfront/internal/load"
)

// realModes is as much as Puma on two processors answers beside everything else.
var realModes = []load.Workers{
	{Mode: load.KeepAlive, Connections: 8, Pace: 10 * time.Millisecond},
	{Mode: load.NewConnections, Connections: 4, Pace: 20 * time.Millisecond},
	{Mode: load.Post, Connections: 2, Pace: 20 * time.Millisecond},
	{Mode: load.Stream, Connections: 6},
	{Mode: load.WebSocket, Connections: 6, Pace: 20 * time.Millisecond},
}

// A Rack app on Debian's Puma in real containers, deployed 50 times under load:
// the promise on what people run. UPFRONT_E2E_DEPLOYS and UPFRONT_E2E_REQUESTS
// make it shorter while working on it; with UPFRONT_E2E_BUFFERED=1 bodies are
// buffered.
func TestReal_pumaIsDeployedUnderLoad(t *testing.T) {
	if os.Getenv("UPFRONT_E2E_REAL") != "1" {
		t.Skip("takes ten minutes, root and debootstrap: run `make e2e-real`")
	}
	const base = "upfront-e2e-real-base"
	folder, err := filepath.Abs("real")
	if err != nil {
		t.Fatal(err)
	}
	requireDocker(t)
	if out, err := exec.CommandContext(t.Context(), filepath.Join(folder, "base.sh"), base).CombinedOutput(); err != nil {
		t.Fatalf("make base image: %v: %s", err, out)
	}
	deploys, requests := number(t, "UPFRONT_E2E_DEPLOYS", 50), number(t, "UPFRONT_E2E_REQUESTS", 200_000)
	e := startEdge(t)
	traffic := e.swapContainers(t, deploys, realModes, func(name, version string) {
		e.run(t, name, "--env", "VERSION="+version, "--volume", folder+":/app:ro", "--workdir", "/app", base,
			"puma", "--config", "puma.rb", "config.ru")
	})
	waitFor(t, 20*time.Minute, "the promised number of requests", func() bool {
		return traffic.Report().Requests >= int64(requests)
	})
	report := traffic.expectNoFailure(t)
	if got, want := len(report.Versions), deploys+1; got != want {
		t.Errorf("load saw %d versions, want %d", got, want)
	}
}
