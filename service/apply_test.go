package service

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upfront/api"
)

func declare(name string, spec api.Spec, apps ...*app) Declared {
	d := Declared{
		Name: name, Spec: spec,
		DeployTimeout: api.Duration(patience), DrainTimeout: api.Duration(time.Second),
	}
	if len(apps) > 0 {
		d.Targets = at(apps...)
	}
	return d
}

func mustApply(t *testing.T, r *Registry, declared ...Declared) {
	t.Helper()
	if err := r.Apply(declared); err != nil {
		t.Fatalf("apply: %v", err)
	}
}

func eventuallyTargets(t *testing.T, r *Registry, name string, apps ...*app) {
	t.Helper()
	all := make([]string, len(apps))
	for i, a := range apps {
		all[i] = a.address
	}
	want := strings.Join(all, " ")
	eventually(t, name+" has targets "+want, func() bool { return addresses(r, name) == want })
}

func TestRegistry_Add_putsBackFixedTarget(t *testing.T) {
	r := newTestRegistry(t)
	a, b := startApp(t, 200), startApp(t, 200)
	mustApply(t, r, declare("web", quick("a.example.com"), a))
	eventually(t, "the target is healthy", func() bool { return r.published("web").live() })
	if _, err := r.Drain(t.Context(), "web", api.DrainRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	_, err := r.Add(t.Context(), "web", api.AddRequest{Target: at(b)[0]}, nil)
	wantCode(t, err, api.CodeOwned)
	if _, err := r.Add(t.Context(), "web", api.AddRequest{Target: at(a)[0]}, nil); err != nil {
		t.Fatalf("put back: %v", err)
	}
	wantTargets(t, r, "web", a)
	if !r.published("web").live() {
		t.Error("want the target to take requests again")
	}
	_, err = r.Add(t.Context(), "web", api.AddRequest{Target: at(a)[0]}, nil)
	wantCode(t, err, api.CodeOwned)
}

func TestRegistry_Apply_fixedTargets(t *testing.T) {
	r := newTestRegistry(t)
	a, b := startApp(t, 200), startApp(t, 200)
	web := declare("web", quick("a.example.com"), a)
	mustApply(t, r, web)
	wantTargets(t, r, "web", a) // at once: there was nothing to lose
	eventually(t, "the target is healthy", func() bool { return r.published("web").live() })
	if info, _ := r.Service("web"); info.Owner != "file" {
		t.Errorf("owner: got %q, want file", info.Owner)
	}
	first := r.published("web")
	mustApply(t, r, web)
	if r.published("web") != first {
		t.Error("an unchanged service was replaced")
	}
	_, err := r.Deploy(t.Context(), "web", request(quick("a.example.com"), b), nil)
	e := wantCode(t, err, api.CodeOwned)
	if !strings.Contains(e.Message, `"web"`) {
		t.Errorf("message: got %q, want it to name the service", e.Message)
	}
	_, err = r.Add(t.Context(), "web", api.AddRequest{Target: at(b)[0]}, nil)
	wantCode(t, err, api.CodeOwned)
	_, err = r.Remove(t.Context(), "web", api.RemoveRequest{}, nil)
	wantCode(t, err, api.CodeOwned)
	_, err = r.Remove(t.Context(), "web", api.RemoveRequest{Target: a.address}, nil)
	wantCode(t, err, api.CodeOwned)
	_, err = r.Rollback(t.Context(), "web", api.RollbackRequest{}, nil)
	wantCode(t, err, api.CodeOwned)
	if _, err := r.Pause(t.Context(), "web", api.PauseRequest{}, nil); err != nil {
		t.Errorf("pause: %v", err)
	}
	if _, err := r.Resume(t.Context(), "web"); err != nil {
		t.Errorf("resume: %v", err)
	}
}

func TestRegistry_Apply_specAloneKeepsTheTargets(t *testing.T) {
	r := newTestRegistry(t)
	a := startApp(t, 200)
	mustApply(t, r, declare("web", quick("a.example.com"), a))
	first := r.published("web")
	spec := quick("b.example.com")
	spec.TargetTimeout = api.Duration(time.Second)
	spec.Policy = api.PolicyLeastConnections
	mustApply(t, r, declare("web", spec, a))
	now := r.published("web")
	if now == first || now.TargetTimeout != time.Second || now.spec.Hosts[0] != "b.example.com" {
		t.Errorf("got %+v, want the new spec at once", now)
	}
	if now.members[0] != first.members[0] {
		t.Error("the target was replaced")
	}
}

func TestRegistry_Apply_newTargetsWaitUntilHealthy(t *testing.T) {
	r := newTestRegistry(t)
	a, b, c := startApp(t, 200), startApp(t, 200), startApp(t, 503)
	mustApply(t, r, declare("web", quick(), a, b))
	eventually(t, "both are healthy", func() bool { return len(unready(r.published("web").members)) == 0 })
	kept := r.published("web").members[1]

	next := declare("web", quick(), b, c)
	next.DeployTimeout = api.Duration(50 * time.Millisecond)
	mustApply(t, r, next)
	wantTargets(t, r, "web", a, b)
	problem := func() string { info, _ := r.Service("web"); return info.Problem }
	eventually(t, "the problem is told", func() bool { return strings.Contains(problem(), c.address+" not healthy") })
	wantTargets(t, r, "web", a, b)

	c.status.Store(200)
	eventuallyTargets(t, r, "web", b, c)
	if r.published("web").members[0] != kept {
		t.Error("a target that stays was replaced")
	}
	if got := problem(); got != "" {
		t.Errorf("problem afterwards: got %q, want none", got)
	}
	wantQuiet(t, a, b)
}

func TestRegistry_Apply_newerOneReplacesThePending(t *testing.T) {
	r := newTestRegistry(t)
	a, b, bad := startApp(t, 200), startApp(t, 200), startApp(t, 503)
	mustApply(t, r, declare("web", quick(), a))
	eventually(t, "the target is healthy", func() bool { return r.published("web").live() })
	mustApply(t, r, declare("web", quick(), bad))
	eventually(t, "the bad one is probed", func() bool { return bad.probes.Load() > 0 })
	mustApply(t, r, declare("web", quick(), b))
	eventuallyTargets(t, r, "web", b)
	eventually(t, "the pending set is given up", func() bool {
		before, until := bad.probes.Load(), b.probes.Load()+5
		eventually(t, "b is probed", func() bool { return b.probes.Load() >= until })
		return bad.probes.Load() == before
	})
}

func TestRegistry_Apply_nothingHealthyToLose(t *testing.T) {
	r := newTestRegistry(t)
	dead, half, bad := startApp(t, 200), startApp(t, 200), startApp(t, 503)
	mustApply(t, r, declare("web", quick(), dead))
	eventually(t, "the target is healthy", func() bool { return r.published("web").live() })
	mustApply(t, r, declare("web", quick(), half, bad)) // waits for bad
	wantTargets(t, r, "web", dead)
	dead.status.Store(500)
	eventuallyTargets(t, r, "web", half, bad)
	if !r.published("web").live() {
		t.Error("want the healthy half of the set to serve")
	}
}

func TestRegistry_Apply_changedHealthCheckIsProbedFirst(t *testing.T) {
	r := newTestRegistry(t)
	a := startApp(t, 200)
	mustApply(t, r, declare("web", quick(), a))
	eventually(t, "the target is healthy", func() bool { return r.published("web").live() })
	old := r.published("web").members[0]
	spec := quick()
	spec.HealthCheck.Status = "404"
	mustApply(t, r, declare("web", spec, a))
	eventually(t, "the new check is tried", func() bool { e := r.world.Load().entries["web"]; return e.pending != nil })
	if live := r.published("web"); live.members[0] != old || !live.live() {
		t.Error("a health check that fails took the service down")
	}
	spec.HealthCheck.Status = "200-204"
	mustApply(t, r, declare("web", spec, a))
	eventually(t, "the new check is live", func() bool { return r.published("web").members[0] != old })
}

func TestRegistry_Apply_saysAtOnceWhatIsMissing(t *testing.T) {
	r := newTestRegistry(t)
	old, fresh := startApp(t, 200), startApp(t, 503)
	mustApply(t, r, declare("web", quick(), old))
	eventually(t, "the old target is healthy", func() bool { return r.published("web").live() })
	mustApply(t, r, declare("web", quick(), fresh))
	want := "new target " + fresh.address + " is not healthy yet: last probe: GET /up: 503"
	eventually(t, "the problem names the last probe", func() bool {
		info, _ := r.Service("web")
		return strings.HasPrefix(info.Problem, want)
	})
	fresh.status.Store(200)
	eventually(t, "the new target is live", func() bool {
		info, _ := r.Service("web")
		return info.Problem == "" && addresses(r, "web") == fresh.address
	})
}

func TestRegistry_Apply_vanishedServiceIsRemoved(t *testing.T) {
	r := newTestRegistry(t)
	a, b, c := startApp(t, 200), startApp(t, 200), startApp(t, 200)
	mustDeploy(t, r, "socket", quick("c.example.com"), c)
	mustApply(t, r, declare("web", quick("a.example.com"), a), declare("api", quick("b.example.com"), b))
	mustApply(t, r, declare("web", quick("a.example.com"), a))
	if _, ok := r.Service("api"); ok {
		t.Error("the service is still there")
	}
	if _, ok := r.Service("socket"); !ok {
		t.Error("a service of the socket is gone")
	}
	wantQuiet(t, b, c)
}

func TestRegistry_Apply_vanishedServiceKeepsWhatTheSocketDeployed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	r, stop := startRegistry(t, Options{StatePath: path})
	a := startApp(t, 200)
	mustApply(t, r, declare("web", quick("a.example.com")), declare("empty", quick("b.example.com")))
	mustDeploy(t, r, "web", api.Spec{}, a)
	mustApply(t, r)
	if _, ok := r.Service("empty"); ok {
		t.Error("a service that was never deployed is still there")
	}
	wantTargets(t, r, "web", a)
	if err := r.Apply([]Declared{declare("other", quick("a.example.com"))}); err == nil {
		t.Error("the file took the route of a service that serves")
	}
	mustApply(t, r, declare("web", quick("c.example.com")))
	wantTargets(t, r, "web", a)
	mustApply(t, r)
	stop()

	again, err := New(Options{StatePath: path})
	if err != nil {
		t.Fatal(err)
	}
	defer again.store.close()
	mustApply(t, again)
	if got := addresses(again, "web"); got != a.address {
		t.Errorf("after a restart: got %q, want %q", got, a.address)
	}
}

func TestRegistry_Apply_declaredWithoutTargets(t *testing.T) {
	r := newTestRegistry(t)
	a, b := startApp(t, 200), startApp(t, 200)
	mustApply(t, r, declare("web", quick("file.example.com")))
	if info, ok := r.Service("web"); !ok || len(info.Targets) != 0 || info.Owner != "socket" {
		t.Errorf("got %+v, want a service without targets", info)
	}
	if _, err := r.published("web").Pool.Acquire(nil); err == nil {
		t.Error("a target out of nowhere")
	}
	mustDeploy(t, r, "web", api.Spec{}, a)
	if info, _ := r.Service("web"); info.Spec.Hosts[0] != "file.example.com" {
		t.Errorf("hosts: got %v, want those of the file", info.Spec.Hosts)
	}
	wantTargets(t, r, "web", a)
	first := r.published("web").members[0]
	mustApply(t, r, declare("web", quick("new.example.com")))
	if m := r.published("web").members[0]; m != first {
		t.Error("the target of the socket was replaced")
	}
	if _, err := r.Add(t.Context(), "web", api.AddRequest{Target: at(b)[0]}, nil); err != nil {
		t.Fatal(err)
	}
	wantTargets(t, r, "web", a, b)
	_, err := r.Remove(t.Context(), "web", api.RemoveRequest{}, nil)
	wantCode(t, err, api.CodeOwned)
	if _, err := r.Remove(t.Context(), "web", api.RemoveRequest{Target: b.address}, nil); err != nil {
		t.Fatal(err)
	}
}

func TestRegistry_Apply_addWhileAHealthCheckIsPending(t *testing.T) {
	r := newTestRegistry(t)
	a, b := startApp(t, 200), startApp(t, 200)
	spec := quick()
	mustApply(t, r, declare("web", spec))
	mustDeploy(t, r, "web", api.Spec{}, a)
	old := r.published("web").members[0]
	spec.HealthCheck.Status = "204"
	mustApply(t, r, declare("web", spec)) // a answers 200: pending
	b.status.Store(204)
	if _, err := r.Add(t.Context(), "web", api.AddRequest{Target: at(b)[0]}, nil); err != nil {
		t.Fatal(err)
	}
	wantTargets(t, r, "web", a, b)
	a.status.Store(204)
	eventually(t, "both follow the new check", func() bool {
		live := r.published("web")
		return len(live.members) == 2 && live.members[0] != old && r.world.Load().entries["web"].pending == nil
	})
	wantTargets(t, r, "web", a, b)
}

func TestRegistry_Apply_duringADeploy(t *testing.T) {
	r := newTestRegistry(t)
	a, b := startApp(t, 200), startApp(t, 503)
	mustDeploy(t, r, "web", quick(), a)
	applied := false
	_, err := r.Deploy(t.Context(), "web", request(quick(), b), func(p api.Progress) {
		if !applied && p.Phase == phaseProbing {
			applied = true
			mustApply(t, r, declare("web", quick(), a))
			b.status.Store(200)
		}
	})
	wantCode(t, err, api.CodeOwned)
	wantTargets(t, r, "web", a)
	wantQuiet(t, b, a)
}

func TestRegistry_Apply_healthCheckChangesDuringADeploy(t *testing.T) {
	r := newTestRegistry(t)
	a := startApp(t, 503)
	spec := quick()
	mustApply(t, r, declare("web", spec))
	applied := false
	_, err := r.Deploy(t.Context(), "web", request(quick(), a), func(p api.Progress) {
		if !applied && p.Phase == phaseProbing {
			applied = true
			spec.HealthCheck.Interval = api.Duration(30 * time.Millisecond)
			mustApply(t, r, declare("web", spec))
			a.status.Store(200)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.published("web").members[0].traits.check.Interval; got != spec.HealthCheck.Interval {
		t.Errorf("interval: got %s, want that of the file: %s", got, spec.HealthCheck.Interval)
	}
}

func TestRegistry_Check_everyProblem(t *testing.T) {
	r := newTestRegistry(t)
	mustDeploy(t, r, "socket", quick("taken.example.com"), startApp(t, 200))
	before := r.world.Load()
	declared := []Declared{
		{Name: "a", Spec: api.Spec{Hosts: []string{"no host"}}},
		{Name: "b", Spec: api.Spec{Hosts: []string{"taken.example.com"}}},
		{Name: "c", Spec: api.Spec{Hosts: []string{"c.example.com"}}, Targets: []api.Target{{Address: "x:y"}}},
		{Name: "d", Spec: api.Spec{Hosts: []string{"d.example.com"}}},
		{Name: "e", Spec: api.Spec{Hosts: []string{"d.example.com"}}},
		{Name: "d", Spec: api.Spec{Hosts: []string{"d2.example.com"}}},
		{Name: "f", Spec: api.Spec{Hosts: []string{"f.example.com"}}, Targets: []api.Target{}},
	}
	for name, err := range map[string]error{"check": r.Check(declared), "apply": r.Apply(declared)} {
		if err == nil {
			t.Fatalf("%s: got nil, want every problem", name)
		}
		for _, want := range []string{
			`service "a": host "no host"`, `service "b": service "socket" already answers`, `service "c": target "x:y"`,
			`service "e": service "d" already answers`, `service "d": is declared twice`, `service "f": a service needs`,
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want it to have %q", name, err, want)
			}
		}
	}
	if r.world.Load() != before {
		t.Error("something was applied")
	}
}

func TestRegistry_Apply_swapsRoutes(t *testing.T) {
	r := newTestRegistry(t)
	a, b := startApp(t, 200), startApp(t, 200)
	mustApply(t, r, declare("x", quick("x.example.com"), a), declare("y", quick("y.example.com"), b))
	mustApply(t, r, declare("x", quick("y.example.com"), a), declare("y", quick("x.example.com"), b))
	if got := match(r, "x.example.com"); got != "y" {
		t.Errorf("match: got %q, want y", got)
	}
}

func TestRegistry_Apply_afterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	a, b := startApp(t, 200), startApp(t, 200)
	r, stop := startRegistry(t, Options{StatePath: path})
	keep, gone := declare("keep", quick("a.example.com"), a), declare("gone", quick("b.example.com"), b)
	mustApply(t, r, keep, gone)
	mustDeploy(t, r, "socket", quick("c.example.com"), b)
	stop()

	again, err := New(Options{StatePath: path})
	if err != nil {
		t.Fatal(err)
	}
	defer again.store.close()
	mustApply(t, again, keep) // before Run, as a daemon may do
	if got := addresses(again, "keep"); got != a.address || !again.published("keep").live() {
		t.Errorf("keep: got %q, want it to serve at once", got)
	}
	if _, ok := again.Service("gone"); ok {
		t.Error("a service that vanished from the file while proxyd was down is still there")
	}
	if got := addresses(again, "socket"); got != b.address {
		t.Errorf("socket: got %q, want its targets", got)
	}
}
