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

func TestNew_nothingToTakeOver(t *testing.T) {
	r, _ := startRegistry(t, Options{
		StatePath: filepath.Join(t.TempDir(), "state.json"),
		Takeover:  func() ([]api.ServiceState, []error, error) { return nil, nil, fmt.Errorf("open: %w", fs.ErrNotExist) },
	})
	if got := r.StateStatus(); got.Source != "none" || got.Problem != "" {
		t.Errorf("got %+v, want nothing and no problem", got)
	}
}
