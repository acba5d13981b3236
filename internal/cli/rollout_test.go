package cli

import (
	"strings"
	"testing"

	"upfront/api"
)

func TestRollout_sendsWhatWasTyped(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{
			[]string{"deploy", "web", "--target", "a:1,b:2", "--read-target", "c:3", "--deploy-timeout", "1m", "--drain-timeout", "0", "--supersede"},
			`deploy {"targets":[{"address":"a:1"},{"address":"b:2"}],"readers":[{"address":"c:3"}],"deploy_timeout":"1m0s","drain_timeout":"1ns","supersede":true}`,
		},
		{[]string{"set", "web", "--percent", "5", "--random"}, `set {"split":{"percent":5,"random":true}}`},
		{[]string{"set", "web", "--percent", "0"}, `set {"split":{}}`},
		{[]string{"set", "web", "--list", "a,b", "--list", "c"}, `set {"split":{"list":["a","b","c"]}}`},
		{
			[]string{"set", "web", "--header", "X-Beta: yes, really", "--header", "X-Any"},
			`set {"split":{"headers":[{"name":"X-Beta","value":"yes, really"},{"name":"X-Any"}]}}`,
		},
		{[]string{"stop", "web"}, `stop {"drain_timeout":"30s"}`},
	} {
		answer := streams(api.Event{Result: &api.Result{Service: "web"}})
		if test.args[0] == "set" {
			answer = gives(api.Result{Service: "web"})
		}
		d := startDaemon(t, answer)
		if got := proxyctl(t, d.socket, append([]string{"rollout"}, test.args...)); got != (run{}) {
			t.Errorf("%v: got %+v, want silence and status 0", test.args, got)
		}
		if asked := d.requests(); len(asked) != 1 || asked[0] != "POST /v1/services/web/rollout/"+test.want {
			t.Errorf("got  %q\nwant %q", asked, test.want)
		}
	}
}

func TestRollout_refusesWhatMakesNoSense(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"deploy", "web"}, "no target given"},
		{[]string{"set", "web"}, "at least one of the flags in the group [percent list header] is required"},
		{[]string{"set", "web", "--percent", "250"}, "percent 250 is not between 0 and 100"},
		{[]string{"set", "web", "--percent", "-5"}, "percent -5 is not between 0 and 100"},
		{[]string{"set", "web", "--header", "X-Beta:"}, "is neither 'Name: value' nor 'Name'"},
		{[]string{"set", "web", "--list", "a;b"}, "none that a cookie can have"},
		{[]string{"frob"}, "unknown command"},
	} {
		got := proxyctl(t, "/nowhere", append([]string{"rollout"}, test.args...))
		if got.status != 1 || !strings.Contains(got.stderr, test.want) {
			t.Errorf("%v: got %+v, want %q", test.args, got, test.want)
		}
	}
}

func TestRollout_isListedWithTheOthers(t *testing.T) {
	target := func(address string) []api.TargetInfo {
		return []api.TargetInfo{{Address: address, Weight: 1, Health: "healthy"}}
	}
	service := api.ServiceInfo{
		Name: "web", Gate: "running", Targets: target("w:1"), Readers: target("r:1"),
		Rollout: &api.RolloutInfo{
			Targets: target("n:1"), Readers: target("m:1"),
			Split: api.Split{Percent: 5, Random: true, List: []string{"me"}, Headers: []api.HeaderMatch{{Name: "X-Beta", Value: "1"}, {Name: "X-Any"}}},
		},
	}
	d := startDaemon(t, gives(api.Status{Services: []api.ServiceInfo{service}}))
	golden(t, "list.rollout.txt", proxyctl(t, d.socket, []string{"list"}).stdout)
	d = startDaemon(t, gives(service))
	golden(t, "status.rollout.txt", proxyctl(t, d.socket, []string{"status", "web"}).stdout)
}
