package service

import (
	"path/filepath"
	"reflect"
	"testing"

	"upfront/api"
)

func TestRegistry_buffersAsDeployed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	r, stop := startRegistry(t, Options{StatePath: path})
	spec := quick("a.example.com")
	spec.BufferRequests, spec.BufferResponses, spec.BufferMemory = true, true, 4096
	spec.MaxResponseBody, spec.ReplayBody = 2048, 512
	mustDeploy(t, r, "web", spec, startApp(t, 200))
	mustDeploy(t, r, "plain", quick("b.example.com"), startApp(t, 200))
	before, _ := r.Service("web")
	stop()

	again, _ := startRegistry(t, Options{StatePath: path})
	after, _ := again.Service("web")
	if !reflect.DeepEqual(after.Spec, before.Spec) || !after.Spec.BufferRequests {
		t.Errorf("restored %+v, want %+v", after.Spec, before.Spec)
	}
	for host, want := range map[string]api.Spec{
		"a.example.com": {BufferRequests: true, BufferResponses: true, BufferMemory: 4096, MaxResponseBody: 2048, ReplayBody: 512},
		"b.example.com": {BufferMemory: api.DefaultBufferMemory},
	} {
		svc, _, _ := again.Match([]byte(host), []byte("/"))
		got := api.Spec{
			BufferRequests: svc.BufferRequests, BufferResponses: svc.BufferResponses, BufferMemory: svc.BufferMemory,
			MaxResponseBody: svc.MaxResponseBody, ReplayBody: svc.ReplayBody,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", host, got, want)
		}
	}
}
