package service

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"upfront/api"
)

func TestNew_takesOverOnceAndKeepsTheRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	asked := 0
	takeover := func() ([]api.ServiceState, []error, error) {
		asked++
		service := func(name, host string) api.ServiceState {
			return api.ServiceState{Name: name, Spec: api.Spec{Hosts: []string{host}}, Targets: []api.Target{{Address: name + ":80"}}}
		}
		paused := service("paused", "p.test")
		paused.Gate = api.GateState{State: "paused", MaxPause: 60e9}
		rolling := service("rolling", "r.test")
		rolling.Rollout = &api.RolloutState{Targets: []api.Target{{Address: "next:80"}}, Split: api.Split{Percent: 20}}
		return []api.ServiceState{paused, rolling, service("thief", "r.test")}, []error{errors.New("service \"broken\" is lost")}, nil
	}
	r, stop := startRegistry(t, Options{StatePath: path, Takeover: takeover})
	status := r.StateStatus()
	if status.Source != "kamal-proxy" || !strings.Contains(status.Problem, "broken") || !strings.Contains(status.Problem, "thief") {
		t.Errorf("got %+v, want the takeover and what it lost", status)
	}
	for host, want := range map[string]string{"p.test": "paused", "r.test": "rolling"} {
		if got := match(r, host); got != want {
			t.Errorf("%s: got service %q, want %q", host, got, want)
		}
	}
	if r.published("paused").Gate.State() != Paused || !r.published("rolling").Rollout.Sends() {
		t.Error("the pause or the rollout was not taken over")
	}
	stop()
	r, _ = startRegistry(t, Options{StatePath: path, Takeover: takeover})
	if got := r.StateStatus(); asked != 1 || got.Source != "file" || match(r, "r.test") != "rolling" {
		t.Errorf("second start: asked %d times, got %+v, want our own file", asked, got)
	}
}

func TestNew_takesOverAgainWhatIsNewer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	name := "first"
	var services []api.ServiceState
	options := Options{
		StatePath: path, TakeoverAgain: func() bool { return name == "second" },
		Takeover: func() ([]api.ServiceState, []error, error) {
			return []api.ServiceState{{Name: name, Targets: []api.Target{{Address: name + ":80"}}}}, nil, nil
		},
		Mirror: func(all []api.ServiceState) { services = all },
	}
	for _, name = range []string{"first", "second", "third"} {
		want := name
		if name == "third" {
			want = "second" // our own file is what counts
		}
		r, stop := startRegistry(t, options)
		if got := match(r, "a.test"); got != want {
			t.Errorf("%s start: got service %q, want %q", name, got, want)
		}
		if len(services) != 1 || services[0].Name != want || services[0].Targets[0].Address != want+":80" {
			t.Errorf("%s start: the mirror was told of %+v", name, services)
		}
		stop()
	}
	r, _ := startRegistry(t, options)
	if _, err := r.Remove(t.Context(), "second", api.RemoveRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	if len(services) != 0 {
		t.Errorf("the mirror was told of %+v behind the removal", services)
	}
}

func TestNew_nothingToTakeOver(t *testing.T) {
	r, _ := startRegistry(t, Options{
		StatePath: filepath.Join(t.TempDir(), "state.json"),
		Takeover:  func() ([]api.ServiceState, []error, error) { return nil, nil, fmt.Errorf("open: %w", fs.ErrNotExist) },
	})
	if got := r.StateStatus(); got.Source != "none" || got.Problem != "" {
		t.Errorf("got %+v, want nothing and no problem", got)
	}
}
