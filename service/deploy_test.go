package service

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"upfront/api"
)

func TestRegistry_Deploy_replacesTheWholeSet(t *testing.T) {
	r := newTestRegistry(t)
	v1, v2, v3 := startApp(t, 200), startApp(t, 200), startApp(t, 200)
	mustDeploy(t, r, "web", quick("a.example.com"), v1)
	wantTargets(t, r, "web", v1)

	result := mustDeploy(t, r, "web", quick("a.example.com"), v2, v3)
	wantTargets(t, r, "web", v2, v3)
	if len(result.Targets) != 2 || result.Targets[0].Address != v2.address {
		t.Errorf("result targets: got %v, want those deployed", result.Targets)
	}
	if len(result.Drained) != 1 || result.Drained[0].Target != v1.address || result.Drained[0].Cut != 0 {
		t.Errorf("drained: got %v, want %s with nothing cut", result.Drained, v1.address)
	}
	if result.Waited <= 0 || result.Switched <= 0 {
		t.Errorf("got waited %s, switched %s, want both above 0", result.Waited, result.Switched)
	}
	wantQuiet(t, v1, v2)
	if got := match(r, "a.example.com"); got != "web" {
		t.Errorf("match: got %q, want web", got)
	}
}

func TestRegistry_Deploy_sameAddressGetsANewTarget(t *testing.T) {
	r := newTestRegistry(t)
	v1 := startApp(t, 200)
	mustDeploy(t, r, "web", quick(), v1)
	old := r.published("web")
	mustDeploy(t, r, "web", quick(), v1)
	now := r.published("web")
	if old.members[0].target == now.members[0].target {
		t.Error("the target object was used again: its drain would end the new one")
	}
	if !old.members[0].target.Draining() || now.members[0].target.Draining() {
		t.Error("want the old target draining and the new one not")
	}
	if old.Retries == nil || old.Retries != now.Retries {
		t.Error("the deploy refilled the budget of retries")
	}
	if old.Gate != now.Gate {
		t.Error("the gate did not outlive the version")
	}
}

func TestRegistry_Deploy_unhealthyChangesNothing(t *testing.T) {
	r := newTestRegistry(t)
	v1, bad := startApp(t, 200), startApp(t, 503)
	mustDeploy(t, r, "web", quick(), v1)
	before := r.world.Load()
	goroutines := runtime.NumGoroutine()

	req := request(quick(), bad)
	req.DeployTimeout = api.Duration(100 * time.Millisecond)
	start := time.Now()
	_, err := r.Deploy(t.Context(), "web", req, nil)
	e := wantCode(t, err, api.CodeUnhealthy)
	want := "target " + bad.address + " not healthy within --deploy-timeout=100ms: last probe: GET /up: 503, checks: database=false"
	if !strings.HasPrefix(e.Message, want) {
		t.Errorf("message: got %q, want %q", e.Message, want)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s, want about the deploy timeout", took)
	}
	if r.world.Load() != before {
		t.Error("something was published")
	}
	wantQuiet(t, bad, v1)
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines+2 })
}

func TestRegistry_Deploy_hangingTarget(t *testing.T) {
	r := newTestRegistry(t)
	stuck := startApp(t, 200)
	stuck.hang.Store(true)
	req := request(quick(), stuck)
	req.DeployTimeout = api.Duration(50 * time.Millisecond)
	_, err := r.Deploy(t.Context(), "web", req, nil)
	e := wantCode(t, err, api.CodeUnhealthy)
	if !strings.HasSuffix(e.Message, "last probe: no answer yet to GET /up") {
		t.Errorf("message: got %q, want it to say that there was no answer", e.Message)
	}
	if _, ok := r.Service("web"); ok {
		t.Error("a service that never was healthy is listed")
	}
}

func TestRegistry_Deploy_invalid(t *testing.T) {
	r := newTestRegistry(t)
	for _, test := range []struct {
		name, service string
		req           api.DeployRequest
	}{
		{"name", "no spaces", api.DeployRequest{Targets: []api.Target{{Address: "a:1"}}}},
		{"no target", "web", api.DeployRequest{}},
		{"target", "web", api.DeployRequest{Targets: []api.Target{{Address: "ftp://a"}}}},
		{"spec", "web", api.DeployRequest{Spec: api.Spec{Hosts: []string{"a b"}}, Targets: []api.Target{{Address: "a:1"}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := r.Deploy(t.Context(), test.service, test.req, nil)
			wantCode(t, err, api.CodeInvalid)
		})
	}
}

func TestRegistry_Deploy_routeOfAnotherService(t *testing.T) {
	r := newTestRegistry(t)
	a := startApp(t, 200)
	mustDeploy(t, r, "web", quick("a.example.com"), a)
	other := startApp(t, 200)
	_, err := r.Deploy(t.Context(), "other", request(quick("A.example.com."), other), nil)
	e := wantCode(t, err, api.CodeConflict)
	if !strings.Contains(e.Message, `service "web"`) {
		t.Errorf("message: got %q, want it to name the service", e.Message)
	}
	if got := other.probes.Load(); got != 0 {
		t.Errorf("probes of a deploy that cannot work: got %d, want 0", got)
	}
}

func TestRegistry_Deploy_ofTwoServicesForOneRoute(t *testing.T) {
	r := newTestRegistry(t)
	var wg sync.WaitGroup
	var won, lost atomic.Int32
	for i := range 4 {
		a := startApp(t, 200)
		wg.Go(func() {
			_, err := r.Deploy(t.Context(), fmt.Sprintf("s%d", i), request(quick("a.example.com"), a), nil)
			if err == nil {
				won.Add(1)
				return
			}
			if strings.Contains(err.Error(), "already answers") {
				lost.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 3 {
		t.Errorf("got %d won, %d refused, want 1 and 3", won.Load(), lost.Load())
	}
}

func TestRegistry_Deploy_cancelBeforePublishing(t *testing.T) {
	r := newTestRegistry(t)
	v1, bad := startApp(t, 200), startApp(t, 503)
	mustDeploy(t, r, "web", quick(), v1)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := r.Deploy(ctx, "web", request(quick(), bad), func(p api.Progress) {
		if len(p.Targets) > 0 && strings.Contains(p.Targets[0].Probe, "503") {
			cancel()
		}
	})
	cancel()
	wantCode(t, err, api.CodeCanceled)
	wantTargets(t, r, "web", v1)
	wantQuiet(t, bad, v1)
}

func TestRegistry_Deploy_cancelAfterPublishingChangesNothing(t *testing.T) {
	r := newTestRegistry(t)
	v1, v2 := startApp(t, 200), startApp(t, 200)
	mustDeploy(t, r, "web", quick(), v1)
	held, err := r.published("web").Pool.Acquire(nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result, err := r.Deploy(ctx, "web", request(quick(), v2), func(p api.Progress) {
		if p.Phase != phaseDraining || ctx.Err() != nil {
			return
		}
		cancel()
		if got := p.Targets[0].InFlight; got != 1 {
			t.Errorf("in flight while draining: got %d, want 1", got)
		}
		held.Release()
	})
	cancel()
	if err != nil {
		t.Fatalf("got %v, want a result", err)
	}
	if result.Drained[0].Cut != 0 {
		t.Errorf("cut: got %d, want 0: the client's leaving must not end the drain", result.Drained[0].Cut)
	}
}

func TestRegistry_Deploy_twentyAtOnce(t *testing.T) {
	r := newTestRegistry(t)
	apps := make([]*app, 20)
	for i := range apps {
		apps[i] = startApp(t, 200)
	}
	var wg sync.WaitGroup
	for _, a := range apps {
		wg.Go(func() {
			if _, err := r.Deploy(context.Background(), "web", request(quick(), a), nil); err != nil {
				t.Errorf("deploy: %v", err)
			}
		})
	}
	wg.Wait()
	final := addresses(r, "web")
	var live *app
	for _, a := range apps {
		if a.address == final {
			live = a
		}
	}
	if live == nil {
		t.Fatalf("final set: got %q, want exactly one of the targets", final)
	}
	counts := make([]int64, len(apps))
	for i, a := range apps {
		counts[i] = a.probes.Load()
	}
	until := live.probes.Load() + 5
	eventually(t, "the live target is probed", func() bool { return live.probes.Load() >= until })
	for i, a := range apps {
		if a != live && a.probes.Load() != counts[i] {
			t.Errorf("orphan probes of %s", a.address)
		}
	}
}

func TestRegistry_Deploy_supersede(t *testing.T) {
	r := newTestRegistry(t)
	bad, waiting, good := startApp(t, 503), startApp(t, 200), startApp(t, 200)
	probing, queued := make(chan struct{}), make(chan struct{})
	errs := make(chan error, 2)
	var once sync.Once
	go func() {
		_, err := r.Deploy(context.Background(), "web", request(quick(), bad), func(p api.Progress) {
			once.Do(func() { close(probing) })
		})
		errs <- err
	}()
	<-probing
	go func() {
		_, err := r.Deploy(context.Background(), "web", request(quick(), waiting), func(p api.Progress) {
			if p.Phase == phaseQueued {
				close(queued)
			}
		})
		errs <- err
	}()
	<-queued
	req := request(quick(), good)
	req.Supersede = true
	if _, err := r.Deploy(t.Context(), "web", req, nil); err != nil {
		t.Fatal(err)
	}
	wantCode(t, <-errs, api.CodeSuperseded)
	wantCode(t, <-errs, api.CodeSuperseded)
	wantTargets(t, r, "web", good)
	if got := waiting.probes.Load(); got != 0 {
		t.Errorf("probes of the deploy that never had its turn: got %d, want 0", got)
	}
	if len(r.turns.lines) != 0 {
		t.Error("a line is left behind")
	}
}

func TestRegistry_Deploy_queuedOneCanLeave(t *testing.T) {
	r := newTestRegistry(t)
	bad := startApp(t, 503)
	first, cancelFirst := context.WithCancel(t.Context())
	probing := make(chan struct{})
	errs := make(chan error, 1)
	var once sync.Once
	go func() {
		_, err := r.Deploy(first, "web", request(quick(), bad), func(api.Progress) {
			once.Do(func() { close(probing) })
		})
		errs <- err
	}()
	<-probing
	ctx, cancel := context.WithCancel(t.Context())
	_, err := r.Deploy(ctx, "web", request(quick(), startApp(t, 200)), func(api.Progress) { cancel() })
	wantCode(t, err, api.CodeCanceled)
	cancelFirst()
	wantCode(t, <-errs, api.CodeCanceled)
}

func TestRegistry_Deploy_secondStartsWhileTheFirstDrains(t *testing.T) {
	r := newTestRegistry(t)
	v1, v2, v3 := startApp(t, 200), startApp(t, 200), startApp(t, 200)
	mustDeploy(t, r, "web", quick(), v1)
	held, err := r.published("web").Pool.Acquire(nil)
	if err != nil {
		t.Fatal(err)
	}
	draining := make(chan struct{})
	done := make(chan error, 1)
	var once sync.Once
	go func() {
		req := request(quick(), v2)
		req.DrainTimeout = api.Duration(patience)
		_, err := r.Deploy(context.Background(), "web", req, func(p api.Progress) {
			if p.Phase == phaseDraining {
				once.Do(func() { close(draining) })
			}
		})
		done <- err
	}()
	<-draining
	mustDeploy(t, r, "web", quick(), v3)
	wantTargets(t, r, "web", v3)
	held.Release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestRegistry_Deploy_stateThatCannotBeWritten(t *testing.T) {
	path := t.TempDir() + "/state.json"
	r, _ := startRegistry(t, Options{StatePath: path})
	v1, v2 := startApp(t, 200), startApp(t, 200)
	mustDeploy(t, r, "web", quick(), v1)
	if err := os.MkdirAll(path+".tmp/in-the-way", 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := r.Deploy(t.Context(), "web", request(quick(), v2), nil)
	wantCode(t, err, api.CodeState)
	wantTargets(t, r, "web", v1)
	wantQuiet(t, v2, v1)
	if r.StateStatus().Problem == "" {
		t.Error("the status does not say that the state file cannot be written")
	}
	if err := os.RemoveAll(path + ".tmp"); err != nil {
		t.Fatal(err)
	}
	mustDeploy(t, r, "web", quick(), v2)
	if got := r.StateStatus().Problem; got != "" {
		t.Errorf("problem after a good write: got %q, want none", got)
	}
}

func TestRegistry_Deploy_isPublishedAsSoonAsHealthy(t *testing.T) {
	r := newTestRegistry(t)
	a := startApp(t, 503)
	var ready time.Time
	_, err := r.Deploy(t.Context(), "web", request(quick(), a), func(p api.Progress) {
		if a.probes.Load() > 3 && ready.IsZero() {
			ready = time.Now()
			a.status.Store(200)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(ready); took > time.Second {
		t.Errorf("from the first 200 to the end of the deploy: %s, want at once", took)
	}
}

func TestRegistry_Rollback_thereAndBack(t *testing.T) {
	r := newTestRegistry(t)
	v1, v2 := startApp(t, 200), startApp(t, 200)
	_, err := r.Rollback(t.Context(), "web", api.RollbackRequest{}, nil)
	wantCode(t, err, api.CodeNotFound)
	mustDeploy(t, r, "web", quick("old.example.com"), v1)
	_, err = r.Rollback(t.Context(), "web", api.RollbackRequest{}, nil)
	wantCode(t, err, api.CodeNoPrevious)
	mustDeploy(t, r, "web", quick("new.example.com"), v2)

	if _, err := r.Rollback(t.Context(), "web", api.RollbackRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	wantTargets(t, r, "web", v1)
	info, _ := r.Service("web")
	if info.Spec.Hosts[0] != "old.example.com" || info.Previous[0].Address != v2.address {
		t.Errorf("got hosts %v, previous %v, want the old spec and %s", info.Spec.Hosts, info.Previous, v2.address)
	}
	if _, err := r.Rollback(t.Context(), "web", api.RollbackRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	wantTargets(t, r, "web", v2)

	v1.status.Store(500)
	_, err = r.Rollback(t.Context(), "web", api.RollbackRequest{DeployTimeout: api.Duration(50 * time.Millisecond)}, nil)
	wantCode(t, err, api.CodeUnhealthy)
	wantTargets(t, r, "web", v2)
}

func TestRegistry_Match_pathOfSeveralReadings(t *testing.T) {
	r := newTestRegistry(t)
	public, admin := startApp(t, 200), startApp(t, 200)
	mustDeploy(t, r, "public", quick("a.example.com"), public)
	spec := quick("a.example.com")
	spec.PathPrefixes = []string{"/admin"}
	mustDeploy(t, r, "admin", spec, admin)
	for path, want := range map[string]string{
		"/":                 "public",
		"/admin/x":          "admin",
		"/a/../b":           "public", // all readings are of one route
		"/a%2f..%2fsub":     "public",
		"/public/../admin":  "",
		"/%61dmin":          "",
		"//admin":           "",
		"/admin/../../etc":  "",
		"/admin%2f..%2fsub": "", // decoded, and its dots not resolved
	} {
		got := ""
		if svc, _, ok := r.Match([]byte("a.example.com"), []byte(path)); ok {
			got = svc.Name
		}
		if got != want {
			t.Errorf("match %s: got %q, want %q", path, got, want)
		}
	}
}
