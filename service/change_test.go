package service

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"upfront/api"
	"upfront/balancer"
	"upfront/dial"
)

func TestRegistry_Add_joinsOnceHealthy(t *testing.T) {
	r := newTestRegistry(t)
	a, b, bad := startApp(t, 200), startApp(t, 200), startApp(t, 503)
	_, err := r.Add(t.Context(), "web", api.AddRequest{Target: at(b)[0]}, nil)
	wantCode(t, err, api.CodeNotFound)
	mustDeploy(t, r, "web", quick(), a)
	first := r.published("web")

	result, err := r.Add(t.Context(), "web", api.AddRequest{Target: at(b)[0]}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantTargets(t, r, "web", a, b)
	if len(result.Targets) != 2 {
		t.Errorf("result targets: got %v, want both", result.Targets)
	}
	if now := r.published("web"); now.members[0] != first.members[0] {
		t.Error("the target that was there was replaced")
	}
	_, err = r.Add(t.Context(), "web", api.AddRequest{Target: at(b)[0]}, nil)
	wantCode(t, err, api.CodeInvalid)
	_, err = r.Add(t.Context(), "web", api.AddRequest{
		Target: at(bad)[0], DeployTimeout: api.Duration(50 * time.Millisecond),
	}, nil)
	wantCode(t, err, api.CodeUnhealthy)
	wantTargets(t, r, "web", a, b)
	wantQuiet(t, bad, a)
}

func TestRegistry_Drain_thenAddPutsBack(t *testing.T) {
	r := newTestRegistry(t)
	a, b := startApp(t, 200), startApp(t, 200)
	mustDeploy(t, r, "web", quick(), a, b)
	result, err := r.Drain(t.Context(), "web", api.DrainRequest{Target: b.address}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Drained) != 1 || result.Drained[0].Target != b.address {
		t.Errorf("drained: got %v, want %s", result.Drained, b.address)
	}
	info, _ := r.Service("web")
	if info.Targets[0].Draining || !info.Targets[1].Draining {
		t.Errorf("targets: got %+v, want only the second one draining", info.Targets)
	}
	before := r.published("web").members[1]
	if _, err := r.Add(t.Context(), "web", api.AddRequest{Target: at(b)[0]}, nil); err != nil {
		t.Fatal(err)
	}
	wantTargets(t, r, "web", a, b)
	if m := r.published("web").members[1]; m != before || m.target.Draining() {
		t.Error("want the same target, not draining any more")
	}
	_, err = r.Drain(t.Context(), "web", api.DrainRequest{Target: "nobody:1"}, nil)
	wantCode(t, err, api.CodeNotFound)
}

func TestRegistry_Remove_targetThenService(t *testing.T) {
	r := newTestRegistry(t)
	a, b, other := startApp(t, 200), startApp(t, 200), startApp(t, 200)
	mustDeploy(t, r, "other", quick("other.example.com"), other)
	mustDeploy(t, r, "web", quick("web.example.com"), a, b)
	_, err := r.Remove(t.Context(), "web", api.RemoveRequest{Target: "nobody:1"}, nil)
	wantCode(t, err, api.CodeNotFound)
	result, err := r.Remove(t.Context(), "web", api.RemoveRequest{Target: a.address}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Drained) != 1 || result.Drained[0].Target != a.address {
		t.Errorf("drained: got %v, want %s", result.Drained, a.address)
	}
	wantTargets(t, r, "web", b)
	wantQuiet(t, a, other)
	_, err = r.Remove(t.Context(), "web", api.RemoveRequest{Target: b.address}, nil)
	e := wantCode(t, err, api.CodeInvalid)
	if !strings.Contains(e.Message, "proxyctl remove web") {
		t.Errorf("message: got %q, want it to say what to do", e.Message)
	}
	if _, err := r.Remove(t.Context(), "web", api.RemoveRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	if got := match(r, "web.example.com"); got != "" {
		t.Errorf("match after remove: got %q, want none", got)
	}
	wantQuiet(t, b, other)
	_, err = r.Remove(t.Context(), "web", api.RemoveRequest{}, nil)
	wantCode(t, err, api.CodeNotFound)
	mustDeploy(t, r, "next", quick("web.example.com"), a) // the route is free again
}

// cutter is a transport that can end one exchange.
type cutter struct {
	mu     sync.Mutex
	target *balancer.Target
	closed int
	cuts   int
}

func (c *cutter) Cut() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cuts++
	if c.target == nil {
		return 0
	}
	c.target.Release()
	c.target = nil
	return 1
}

func (c *cutter) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed++
}

func (c *cutter) hold(t *testing.T, r *Registry, name string) {
	t.Helper()
	target, err := r.published(name).Pool.Acquire(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target = target
}

func TestRegistry_Pause_holdsUntilResume(t *testing.T) {
	transport := &cutter{}
	r, _ := startRegistry(t, Options{NewTransport: func(*dial.Dialer) balancer.Transport { return transport }})
	mustDeploy(t, r, "web", quick(), startApp(t, 200))
	transport.hold(t, r, "web")
	result, err := r.Pause(t.Context(), "web", api.PauseRequest{DrainTimeout: api.Duration(20 * time.Millisecond)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Drained[0]; transport.cuts != 0 || got.Cut != 0 || got.Left != 1 {
		t.Errorf("got %+v, want pause to cut nothing and to say that one is left", got)
	}
	gate := r.published("web").Gate
	if gate.State() != Paused {
		t.Fatalf("gate: got %s, want paused", gate.State())
	}
	errs := make(chan error, 1)
	go func() {
		_, err := gate.Wait(context.Background())
		errs <- err
	}()
	eventually(t, "a request is held", func() bool { return gate.Held() == 1 })

	mustDeploy(t, r, "web", quick(), startApp(t, 200))
	if info, _ := r.Service("web"); info.Gate != "paused" {
		t.Errorf("gate after a deploy: got %s, want paused", info.Gate)
	}
	if _, err := r.Resume(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	if err := <-errs; err != nil {
		t.Errorf("held request: got %v, want to be let through", err)
	}
}

func TestRegistry_Stop_cutsAtTheTimeout(t *testing.T) {
	transport := &cutter{}
	r, _ := startRegistry(t, Options{NewTransport: func(*dial.Dialer) balancer.Transport { return transport }})
	mustDeploy(t, r, "web", quick(), startApp(t, 200))
	transport.hold(t, r, "web")
	result, err := r.Stop(t.Context(), "web", api.StopRequest{
		DrainTimeout: api.Duration(20 * time.Millisecond), Message: "back soon",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Drained[0].Cut; got != 1 {
		t.Errorf("cut: got %d, want 1", got)
	}
	info, _ := r.Service("web")
	if info.Gate != "stopped" || info.Message != "back soon" {
		t.Errorf("got gate %s, message %q", info.Gate, info.Message)
	}
	_, err = r.Stop(t.Context(), "nobody", api.StopRequest{}, nil)
	wantCode(t, err, api.CodeNotFound)
}

func TestRegistry_Stop_resumedMeanwhileCutsNothing(t *testing.T) {
	transport := &cutter{}
	r, _ := startRegistry(t, Options{NewTransport: func(*dial.Dialer) balancer.Transport { return transport }})
	mustDeploy(t, r, "web", quick(), startApp(t, 200))
	transport.hold(t, r, "web")
	var once sync.Once
	_, err := r.Stop(t.Context(), "web", api.StopRequest{DrainTimeout: api.Duration(patience)}, func(api.Progress) {
		once.Do(func() {
			if _, err := r.Resume(context.Background(), "web"); err != nil {
				t.Error(err)
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if transport.cuts != 0 {
		t.Error("stop cut requests of a service that runs again")
	}
	transport.Cut()
}

func TestRegistry_Deploy_closesTheTransports(t *testing.T) {
	var mu sync.Mutex
	made := map[string]*cutter{}
	r, _ := startRegistry(t, Options{NewTransport: func(dialer *dial.Dialer) balancer.Transport {
		mu.Lock()
		defer mu.Unlock()
		made[dialer.Name()] = &cutter{}
		return made[dialer.Name()]
	}})
	a, b, bad := startApp(t, 200), startApp(t, 200), startApp(t, 503)
	mustDeploy(t, r, "web", quick(), a)
	mustDeploy(t, r, "web", quick(), b)
	req := request(quick(), bad)
	req.DeployTimeout = api.Duration(30 * time.Millisecond)
	_, err := r.Deploy(t.Context(), "web", req, nil)
	wantCode(t, err, api.CodeUnhealthy)
	for _, test := range []struct {
		app  *app
		want int
	}{{a, 1}, {b, 0}, {bad, 1}} {
		if got := made[test.app.address].closed; got != test.want {
			t.Errorf("transport of %s closed %d times, want %d", test.app.address, got, test.want)
		}
	}
}

func TestRegistry_unhealthyTargetLeavesAndComesBack(t *testing.T) {
	r := newTestRegistry(t)
	a := startApp(t, 200)
	mustDeploy(t, r, "web", quick(), a)
	health := func() string { info, _ := r.Service("web"); return info.Targets[0].Health }
	a.status.Store(500)
	eventually(t, "the target is unhealthy", func() bool { return health() == "unhealthy" })
	if _, err := r.published("web").Pool.Acquire(nil); err == nil {
		t.Error("an unhealthy target was chosen")
	}
	info, _ := r.Service("web")
	if target := info.Targets[0]; target.Checks["database"] != "false" || !strings.Contains(target.LastProbe, "500") {
		t.Errorf("target: got %+v, want the last probe and its checks", target)
	}
	a.status.Store(200)
	eventually(t, "the target is healthy", func() bool { return health() == "healthy" })
}

func TestRegistry_Deploy_requestsAlwaysFindATarget(t *testing.T) {
	r := newTestRegistry(t)
	blue, green := startApp(t, 200), startApp(t, 200)
	mustDeploy(t, r, "web", quick(), blue)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			tick := time.NewTicker(time.Millisecond) // bursts leave the deploys some CPU
			defer tick.Stop()
			for {
				for range 200 {
					if !serveOne(r) {
						t.Error("a request found no target")
						return
					}
				}
				select {
				case <-done:
					return
				case <-tick.C:
				}
			}
		})
	}
	deploys := 200
	if testing.Short() {
		deploys = 20
	}
	for i := range deploys {
		mustDeploy(t, r, "web", quick(), []*app{green, blue}[i%2])
	}
	close(done)
	wg.Wait()
}

// serveOne does what proxy does: match, choose, and match again when the pool
// was replaced in between.
func serveOne(r *Registry) bool {
	for range 10 {
		svc, _, ok := r.Match([]byte("any.example.com"), []byte("/"))
		if !ok {
			return false
		}
		target, err := svc.Pool.Acquire(nil)
		if err == nil {
			target.Release()
			return true
		}
		if !svc.Pool.Draining() {
			return false
		}
	}
	return false
}

func TestRegistry_Pause_waitsForTargetsThatAreLeaving(t *testing.T) {
	r := newTestRegistry(t)
	mustDeploy(t, r, "web", quick(), startApp(t, 200))
	held, err := r.published("web").Pool.Acquire(nil)
	if err != nil {
		t.Fatal(err)
	}
	draining, done := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	next := startApp(t, 200)
	go func() {
		req := request(quick(), next)
		req.DrainTimeout = api.Duration(patience)
		_, err := r.Deploy(context.Background(), "web", req, func(p api.Progress) {
			if p.Phase == phaseDraining {
				once.Do(func() { close(draining) })
			}
		})
		done <- err
	}()
	<-draining
	released := false
	_, err = r.Pause(t.Context(), "web", api.PauseRequest{DrainTimeout: api.Duration(patience)}, func(p api.Progress) {
		if !released && len(p.Targets) == 2 {
			released = true
			held.Release()
		}
	})
	if err != nil || !released {
		t.Errorf("pause: got %v, released %v, want it to wait for the old target", err, released)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	eventually(t, "nobody is leaving", func() bool { return len(r.leaving.of("web")) == 0 })
}
