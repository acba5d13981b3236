package service

import (
	"math"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"upfront/api"
)

func rolloutOf(apps ...*app) api.RolloutDeployRequest {
	return api.RolloutDeployRequest{
		Targets: at(apps...), DeployTimeout: api.Duration(patience), DrainTimeout: api.Duration(200 * time.Millisecond),
	}
}

func mustRollout(t *testing.T, r *Registry, name string, apps ...*app) *api.Result {
	t.Helper()
	result, err := r.RolloutDeploy(t.Context(), name, rolloutOf(apps...), nil)
	if err != nil {
		t.Fatalf("rollout deploy %s: %v", name, err)
	}
	return result
}

func mustSet(t *testing.T, r *Registry, name string, takes api.Split) {
	t.Helper()
	if _, err := r.RolloutSet(t.Context(), name, api.RolloutSetRequest{Split: takes}); err != nil {
		t.Fatalf("rollout set %s: %v", name, err)
	}
}

// rolloutTargets are the addresses in the rollout slot.
func rolloutTargets(r *Registry, name string) (addresses []string) {
	info, _ := r.Service(name)
	if info.Rollout == nil {
		return nil
	}
	for _, target := range info.Rollout.Targets {
		addresses = append(addresses, target.Address)
	}
	return addresses
}

func TestRegistry_RolloutDeploy_probesAndKeepsTheSplit(t *testing.T) {
	r := newTestRegistry(t)
	old, first, second, sick := startApp(t, 200), startApp(t, 200), startApp(t, 200), startApp(t, 503)
	_, err := r.RolloutDeploy(t.Context(), "web", rolloutOf(first), nil)
	wantCode(t, err, api.CodeNotFound)
	mustDeploy(t, r, "web", quick(), old)
	_, err = r.RolloutSet(t.Context(), "web", api.RolloutSetRequest{Split: api.Split{Percent: 10}})
	wantCode(t, err, api.CodeNoRollout)

	req := rolloutOf(sick)
	req.DeployTimeout = api.Duration(50 * time.Millisecond)
	_, err = r.RolloutDeploy(t.Context(), "web", req, nil)
	wantCode(t, err, api.CodeUnhealthy)
	if got := rolloutTargets(r, "web"); got != nil {
		t.Fatalf("rollout targets: got %v, want none after a deploy that failed", got)
	}
	mustRollout(t, r, "web", first)
	if r.published("web").Rollout.Sends() {
		t.Error("a rollout that was only deployed takes requests")
	}
	mustSet(t, r, "web", api.Split{Percent: 30})
	result := mustRollout(t, r, "web", second)
	if got := rolloutTargets(r, "web"); len(got) != 1 || got[0] != second.address {
		t.Errorf("rollout targets: got %v, want %s", got, second.address)
	}
	if info, _ := r.Service("web"); info.Rollout.Split.Percent != 30 {
		t.Errorf("percent: got %d, want 30 as before", info.Rollout.Split.Percent)
	}
	if len(result.Drained) != 1 || result.Drained[0].Target != first.address {
		t.Errorf("drained: got %v, want %s", result.Drained, first.address)
	}
	wantQuiet(t, first, old)
	wantQuiet(t, sick, old)
}

func TestRegistry_Deploy_leavesTheRolloutAlone(t *testing.T) {
	r := newTestRegistry(t)
	old, next, canary := startApp(t, 200), startApp(t, 200), startApp(t, 200)
	mustDeploy(t, r, "web", quick(), old)
	mustRollout(t, r, "web", canary)
	mustSet(t, r, "web", api.Split{List: []string{"me"}})
	before := r.published("web").Rollout.members[0]
	mustDeploy(t, r, "web", quick(), next)
	now := r.published("web").Rollout
	if now == nil || now.members[0] != before || !now.Takes([]byte("me")) {
		t.Errorf("rollout after a deploy: got %+v, want the same target and split", now)
	}
	if !before.live() {
		t.Error("the rollout target does not take requests any more")
	}
}

func TestRegistry_RolloutStop_drainsAndForgets(t *testing.T) {
	r := newTestRegistry(t)
	old, canary := startApp(t, 200), startApp(t, 200)
	mustDeploy(t, r, "web", quick(), old)
	stop := api.RolloutStopRequest{DrainTimeout: api.Duration(200 * time.Millisecond)}
	if _, err := r.RolloutStop(t.Context(), "web", stop, nil); err != nil {
		t.Errorf("stop without a rollout: got %v, want nothing to do", err)
	}
	mustRollout(t, r, "web", canary)
	mustSet(t, r, "web", api.Split{Percent: 100})
	held, err := r.published("web").Rollout.Pool.Acquire(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	result, err := r.RolloutStop(t.Context(), "web", stop, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Drained) != 1 || result.Drained[0].Target != canary.address || result.Drained[0].Cut != 1 {
		t.Errorf("drained: got %+v, want %s with one cut", result.Drained, canary.address)
	}
	if r.published("web").Rollout != nil {
		t.Error("the rollout is still there")
	}
	wantQuiet(t, canary, old)
}

func TestRegistry_RolloutStop_endsADeployThatWaits(t *testing.T) {
	r := newTestRegistry(t)
	mustDeploy(t, r, "web", quick(), startApp(t, 200))
	mustRollout(t, r, "web", startApp(t, 200))
	waiting, done := make(chan struct{}, 64), make(chan error, 1)
	go func() {
		_, err := r.RolloutDeploy(t.Context(), "web", rolloutOf(startApp(t, 503)), func(api.Progress) {
			select {
			case waiting <- struct{}{}:
			default:
			}
		})
		done <- err
	}()
	<-waiting
	if _, err := r.RolloutStop(t.Context(), "web", api.RolloutStopRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	wantCode(t, <-done, api.CodeSuperseded)
	if r.published("web").Rollout != nil {
		t.Error("the rollout is still there")
	}
}

func TestRegistry_rolloutAndReadersSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	r, stop := startRegistry(t, Options{StatePath: path})
	writer, reader, canary := startApp(t, 200), startApp(t, 200), startApp(t, 200)
	req := request(quick(), writer)
	req.Readers = at(reader)
	if _, err := r.Deploy(t.Context(), "web", req, nil); err != nil {
		t.Fatal(err)
	}
	rollout := rolloutOf(canary)
	rollout.Readers = at(reader)
	if _, err := r.RolloutDeploy(t.Context(), "web", rollout, nil); err != nil {
		t.Fatal(err)
	}
	takes := api.Split{Percent: 5, List: []string{"me"}, Random: true, Headers: []api.HeaderMatch{{Name: "X-Beta", Value: "1"}}}
	mustSet(t, r, "web", takes)
	want, _ := r.Service("web")
	stop()

	r, _ = startRegistry(t, Options{StatePath: path})
	got, _ := r.Service("web")
	if len(got.Readers) != 1 || got.Readers[0].Address != reader.address {
		t.Errorf("readers: got %v, want %s", got.Readers, reader.address)
	}
	if got.Rollout == nil || len(got.Rollout.Readers) != 1 || got.Rollout.Targets[0].Address != canary.address {
		t.Fatalf("rollout: got %+v, want %+v", got.Rollout, want.Rollout)
	}
	if now := r.published("web").Rollout; !now.Takes([]byte("me")) || !now.Random() || len(now.Headers()) != 1 {
		t.Errorf("split: got %+v, want %+v", got.Rollout.Split, takes)
	}
}

func TestRegistry_Deploy_readersAreProbedAndReplaced(t *testing.T) {
	r := newTestRegistry(t)
	writer, reader, sick, next := startApp(t, 200), startApp(t, 200), startApp(t, 503), startApp(t, 200)
	req := request(quick(), writer)
	req.Readers = at(sick)
	req.DeployTimeout = api.Duration(50 * time.Millisecond)
	_, err := r.Deploy(t.Context(), "web", req, nil)
	wantCode(t, err, api.CodeUnhealthy)
	req.Readers, req.DeployTimeout = at(reader), api.Duration(patience)
	if _, err := r.Deploy(t.Context(), "web", req, nil); err != nil {
		t.Fatal(err)
	}
	result := mustDeploy(t, r, "web", quick(), next)
	if len(result.Drained) != 2 {
		t.Errorf("drained: got %v, want the writer and the reader", result.Drained)
	}
	if r.published("web").Readers != nil {
		t.Error("there is a reader, but the deploy named none")
	}
	wantQuiet(t, reader, next)
	if _, err := r.Rollback(t.Context(), "web", api.RollbackRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	if info, _ := r.Service("web"); len(info.Readers) != 1 || info.Readers[0].Address != reader.address {
		t.Errorf("readers after a rollback: got %v, want %s", info.Readers, reader.address)
	}
}

func TestRegistry_Deploy_forceWaitsForNobody(t *testing.T) {
	r := newTestRegistry(t)
	sick := startApp(t, 503)
	req := request(quick(), sick)
	req.Force = true
	if _, err := r.Deploy(t.Context(), "web", req, nil); err != nil {
		t.Fatal(err)
	}
	if r.published("web").live() {
		t.Error("a target that no probe has found healthy takes requests")
	}
	sick.status.Store(200)
	eventually(t, "the target takes requests", r.published("web").live)
}

// kamal-proxy's own judgement of some visitors, so that a change of the proxy moves
// none of them.
func TestRollout_Takes_asKamalProxyDoes(t *testing.T) {
	for _, test := range []struct {
		takes   api.Split
		visitor string
		want    bool
	}{
		{api.Split{Percent: 0}, "anybody", false},
		{api.Split{Percent: 100}, "anybody", true},
		{api.Split{Percent: 0, List: []string{"a", "b"}}, "b", true},
		{api.Split{Percent: 50}, "1", true},  // fnv32a 0x340ca71c
		{api.Split{Percent: 20}, "1", false}, //
		{api.Split{Percent: 21}, "1", true},  // 20.33 %
		{api.Split{Percent: 89}, "a", false}, // fnv32a 0xe40c292c, 89.08 %
		{api.Split{Percent: 90}, "a", true},  //
		{api.Split{Percent: 99}, "", false},  // no visitor
		{api.Split{List: []string{"a"}}, "A", false},
	} {
		r := NewRollout(nil, nil, test.takes)
		if got := r.Takes([]byte(test.visitor)); got != test.want {
			t.Errorf("%+v takes %q: got %v, want %v", test.takes, test.visitor, got, test.want)
		}
	}
}

// Visitors as apps number them fall to the rollout within a percent of what was
// asked, and a higher percent only adds to them.
func TestRollout_Takes_withinAPercentAndOnlyAdds(t *testing.T) {
	const visitors = 100_000
	taken := make(map[int]bool, visitors)
	for percent := 0; percent <= 100; percent += 5 {
		r := NewRollout(nil, nil, api.Split{Percent: percent})
		count := 0
		for i := range visitors {
			takes := r.Takes(strconv.AppendInt([]byte("user-"), int64(i), 10))
			if taken[i] && !takes {
				t.Fatalf("visitor %d left the rollout at %d percent", i, percent)
			}
			if taken[i] = takes; takes {
				count++
			}
		}
		if got := 100 * float64(count) / visitors; math.Abs(got-float64(percent)) > 1 {
			t.Errorf("asked for %d percent, got %.2f", percent, got)
		}
	}
}

// Targets that only read, and those of a rollout, must do what the spec asks as well.
func TestRegistry_readersAndRolloutsMustFitTheSpec(t *testing.T) {
	r := newTestRegistry(t)
	spec := quick()
	spec.HealthCheck.Port = 1 // which a unix socket has none of
	unix := []api.Target{{Address: "unix:/run/app.sock"}}
	_, err := r.Deploy(t.Context(), "web", api.DeployRequest{Spec: spec, Targets: at(startApp(t, 200)), Readers: unix}, nil)
	wantCode(t, err, api.CodeInvalid)
	err = r.Check([]Declared{{Name: "web", Spec: spec, Targets: []api.Target{{Address: "a:1"}}, Readers: unix}})
	if err == nil {
		t.Error("a file may declare a reader that does not fit")
	}
	req := api.DeployRequest{Spec: spec, Targets: at(startApp(t, 200)), Force: true}
	if _, err := r.Deploy(t.Context(), "web", req, nil); err != nil {
		t.Fatal(err)
	}
	_, err = r.RolloutDeploy(t.Context(), "web", api.RolloutDeployRequest{Targets: unix}, nil)
	wantCode(t, err, api.CodeInvalid)
}
