package service

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"upfront/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// app is a target that counts its probes and answers them as it is told.
type app struct {
	address string
	status  atomic.Int32
	probes  atomic.Int64
	hang    atomic.Bool
}

func startApp(t *testing.T, status int) *app {
	t.Helper()
	a := &app{}
	a.status.Store(int32(status))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.probes.Add(1)
		if a.hang.Load() {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(a.status.Load()))
		_, _ = io.WriteString(w, `{"checks":{"database":false}}`)
	}))
	t.Cleanup(server.Close)
	a.address = strings.TrimPrefix(server.URL, "http://")
	return a
}

// startRegistry runs a registry until the test ends, or until stop is called.
func startRegistry(t *testing.T, o Options) (r *Registry, stop func()) {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: got %v, want nil", err)
			}
		case <-time.After(patience):
			t.Error("Run did not end")
		}
	}
	t.Cleanup(stop)
	return r, stop
}

func newTestRegistry(t *testing.T) *Registry {
	t.Helper()
	r, _ := startRegistry(t, Options{StatePath: filepath.Join(t.TempDir(), "state", "state.json")})
	return r
}

// eventually waits until ok, looking every millisecond.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// quick is a spec for hosts that is probed often.
func quick(hosts ...string) api.Spec {
	return api.Spec{Hosts: hosts, HealthCheck: api.HealthCheck{
		Interval: api.Duration(20 * time.Millisecond), Timeout: api.Duration(5 * time.Second), MaxAttempts: 1,
	}}
}

func at(apps ...*app) []api.Target {
	targets := make([]api.Target, len(apps))
	for i, a := range apps {
		targets[i] = api.Target{Address: a.address, Weight: 1}
	}
	return targets
}

func request(spec api.Spec, apps ...*app) api.DeployRequest {
	return api.DeployRequest{
		Spec: spec, Targets: at(apps...),
		DeployTimeout: api.Duration(patience), DrainTimeout: api.Duration(200 * time.Millisecond),
	}
}

func mustDeploy(t *testing.T, r *Registry, name string, spec api.Spec, apps ...*app) *api.Result {
	t.Helper()
	result, err := r.Deploy(t.Context(), name, request(spec, apps...), nil)
	if err != nil {
		t.Fatalf("deploy %s: %v", name, err)
	}
	return result
}

func wantCode(t *testing.T, err error, want api.Code) *api.Error {
	t.Helper()
	var e *api.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want one with code %q", err, want)
	}
	if e.Code != want {
		t.Fatalf("got code %q (%s), want %q", e.Code, e.Message, want)
	}
	return e
}

// addresses of the live targets of a service.
func addresses(r *Registry, name string) string {
	info, ok := r.Service(name)
	if !ok {
		return "no service"
	}
	all := make([]string, len(info.Targets))
	for i, target := range info.Targets {
		all[i] = target.Address
	}
	return strings.Join(all, " ")
}

func wantTargets(t *testing.T, r *Registry, name string, apps ...*app) {
	t.Helper()
	want := make([]string, len(apps))
	for i, a := range apps {
		want[i] = a.address
	}
	if got := addresses(r, name); got != strings.Join(want, " ") {
		t.Fatalf("targets of %s: got %q, want %q", name, got, strings.Join(want, " "))
	}
}

// wantQuiet checks that nobody probes a any more: several probes of another, live
// app come and go without one. A probe that was cancelled may still be counted
// late, so the first such time counts.
func wantQuiet(t *testing.T, a, live *app) {
	t.Helper()
	eventually(t, "nobody probes "+a.address, func() bool {
		before, until := a.probes.Load(), live.probes.Load()+5
		eventually(t, "the live app is probed", func() bool { return live.probes.Load() >= until })
		return a.probes.Load() == before
	})
}

func match(r *Registry, host string) string {
	svc, _, ok := r.Match([]byte(host), []byte("/"))
	if !ok {
		return ""
	}
	return svc.Name
}
