package cli

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"upfront/api"
)

func TestDeploy_sendsWhatWasTyped(t *testing.T) {
	tests := []struct {
		name, line, want string
	}{
		{
			"defaults", "web --target web-1:3000",
			`{"spec":{"health_check":{"paths":["/up"],"interval":"1s","timeout":"5s","healthy_threshold":1,"max_attempts":3,"status":"200-299"},"policy":"round_robin","target_timeout":"30s","buffer_memory":1048576},"targets":[{"address":"web-1:3000"}],"deploy_timeout":"30s","drain_timeout":"30s"}`,
		},
		{
			"everything", "web --target a:1,b:2 --target c:3 --weight b:2=5 --host a.test --host b.test,c.test --path-prefix /api --strip-path-prefix=false " +
				"--health-check-path /up,/sidekiq --health-check-interval 2s --health-check-timeout 3s --health-check-port 9 --health-check-host h.test " +
				"--health-check-header X-Token:s:1 --health-check-status 200-399 --health-check-body ok --healthy-threshold 2 --max-attempts 4 " +
				"--deploy-timeout 1m --drain-timeout 90s --target-timeout 7s --max-request-body 1024 --max-in-flight 8 --policy two_choices --slow-start 10s --fail-open --error-pages /srv/errors --supersede " +
				"--buffer-requests --buffer-responses --buffer-memory 4096 --max-response-body 2048 --replay-body 512 " +
				"--read-target r:1,r:2 --writer-affinity-timeout 0 --read-target-websockets --force --forward-headers=false --client-ip-header CF-Connecting-IP " +
				"--scope-cookie-paths --log-request-header A,B --log-response-header C --exclude-metrics-path /up --publish-health-check",
			`{"spec":{"hosts":["a.test","b.test","c.test"],"path_prefixes":["/api"],"keep_path_prefix":true,"health_check":{"paths":["/up","/sidekiq"],"port":9,"host":"h.test","headers":{"X-Token":"s:1"},"interval":"2s","timeout":"3s","healthy_threshold":2,"max_attempts":4,"status":"200-399","body":"ok"},"policy":"two_choices","slow_start":"10s","fail_open":true,"target_timeout":"7s","max_request_body":1024,"max_in_flight":8,"error_pages":"/srv/errors","buffer_requests":true,"buffer_responses":true,"buffer_memory":4096,"max_response_body":2048,"replay_body":512,"writer_affinity_timeout":"-1ns","read_target_websockets":true,"forward_headers":false,"client_ip_header":"CF-Connecting-IP","scope_cookie_paths":true,"log_request_headers":["A","B"],"log_response_headers":["C"],"exclude_metrics_paths":["/up"],"publish_health_check":true},"targets":[{"address":"a:1"},{"address":"b:2","weight":5},{"address":"c:3"}],"readers":[{"address":"r:1"},{"address":"r:2"}],"deploy_timeout":"1m0s","drain_timeout":"1m30s","supersede":true,"force":true}`,
		},
		{
			"automatic certificates", "web --target a:1 --host a.test --tls --tls-staging --tls-acme-cache-path /srv/certs --tls-on-demand-url /allowed",
			`{"spec":{"hosts":["a.test"],"tls":{"automatic":{"directory":"https://acme-staging-v02.api.letsencrypt.org/directory","cache_path":"/srv/certs","on_demand":"/allowed"}},"health_check":{"paths":["/up"],"interval":"1s","timeout":"5s","healthy_threshold":1,"max_attempts":3,"status":"200-299"},"policy":"round_robin","target_timeout":"30s","buffer_memory":1048576},"targets":[{"address":"a:1"}],"deploy_timeout":"30s","drain_timeout":"30s"}`,
		},
		{
			"zero is not the default", "web --target a:1 --target-timeout 0 --drain-timeout 0",
			`{"spec":{"health_check":{"paths":["/up"],"interval":"1s","timeout":"5s","healthy_threshold":1,"max_attempts":3,"status":"200-299"},"policy":"round_robin","target_timeout":"-1ns","buffer_memory":1048576},"targets":[{"address":"a:1"}],"deploy_timeout":"30s","drain_timeout":"1ns"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := startDaemon(t, streams(api.Event{Result: &api.Result{Service: "web"}}))
			got := proxyctl(t, d.socket, append([]string{"deploy"}, strings.Fields(tt.line)...))
			if got != (run{}) {
				t.Errorf("got %+v, want silence and status 0", got)
			}
			if asked := d.requests(); len(asked) != 1 || asked[0] != "POST /v1/services/web/deploy "+tt.want {
				t.Errorf("got  %q\nwant %q", asked, tt.want)
			}
		})
	}
}

// What works, but hardly as it was meant, is said where nothing else is, and costs no
// script its deploy.
func TestDeploy_saysWarningsOnStandardError(t *testing.T) {
	const problem = `no certificate of the service is for host "a.test"`
	d := startDaemon(t, streams(api.Event{Result: &api.Result{Service: "web", Warnings: []string{problem}}}))
	got := proxyctl(t, d.socket, []string{"deploy", "web", "--target", "a:1"})
	if want := (run{stderr: "Warning: " + problem + "\n"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got = proxyctl(t, d.socket, []string{"deploy", "web", "--target", "a:1", "--json"})
	if got.status != 0 || !strings.Contains(got.stdout, `"warnings": [`) || !strings.Contains(got.stderr, problem) {
		t.Errorf("--json: got %+v", got)
	}
}

func TestDeploy_refusesWhatMakesNoSense(t *testing.T) {
	tests := []struct {
		line, want string
	}{
		{"web", "Error: no target given: name at least one, such as --target web-1:3000\n"},
		{"web --target a:1 --weight a:1", "Error: --weight \"a:1\" is not HOST:PORT=N, such as web-1:3000=2\n"},
		{"web --target a:1 --weight a:1=0", "Error: --weight \"a:1=0\" is not HOST:PORT=N, such as web-1:3000=2\n"},
		{"web --target a:1 --weight b:1=2", "Error: --weight \"b:1=2\" names a target that --target does not\n"},
		{"web --target a:1 --tls-staging", "Error: --tls-staging does nothing without --tls: add --tls\n"},
		{"web --target a:1 --tls --tls-staging --tls-acme-directory https://x.test/dir", "Error: --tls-staging and --tls-acme-directory are two directories: give one of them\n"},
		{"web --target a:1 --health-check-header X", "Error: --health-check-header \"X\" is not 'Name: value'\n"},
		{"", "Error: deploy takes one service, got 0 arguments: proxyctl deploy SERVICE --target HOST:PORT [flags]\nRun 'proxyctl deploy --help' for usage.\n"},
		{"web --target a:1 --buffer-memory 64KB", "Error: invalid argument \"64KB\" for \"--buffer-memory\" flag: it takes a whole number\nRun 'proxyctl deploy --help' for usage.\n"},
		{"web --target a:1 --max-in-flight 99999999999999999999", "Error: invalid argument \"99999999999999999999\" for \"--max-in-flight\" flag: it is out of range\nRun 'proxyctl deploy --help' for usage.\n"},
		{"web --target a:1 --buffer-requests=2", "Error: invalid argument \"2\" for \"--buffer-requests\" flag: it takes true or false\nRun 'proxyctl deploy --help' for usage.\n"},
		{"web --targt a:1", "Error: unknown flag: --targt\nRun 'proxyctl deploy --help' for usage.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			got := proxyctl(t, "/nowhere", append([]string{"deploy"}, strings.Fields(tt.line)...))
			if want := (run{status: 1, stderr: tt.want}); got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestDeploy_refusesWhatIsEmpty(t *testing.T) {
	for _, flag := range []string{"--target", "--weight", "--host", "--path-prefix", "--health-check-path"} {
		t.Run(flag, func(t *testing.T) {
			got := proxyctl(t, "/nowhere", []string{"deploy", "web", "--target", "a:1", flag, ""})
			if got.status != 1 || !strings.Contains(got.stderr, flag) || !strings.Contains(got.stderr, "it is empty") {
				t.Errorf("got %+v, want a refusal", got)
			}
		})
	}
}

var webDeployed = []api.Event{
	{Progress: &api.Progress{Phase: "probing", Targets: []api.TargetProgress{
		{Target: "web-2:3000", Health: "starting", Probe: "GET /up: 503, checks: database=false\x1b[31m"},
	}}},
	{Progress: &api.Progress{Phase: "probing", Targets: []api.TargetProgress{{Target: "web-2:3000", Health: "healthy"}}}},
	{Progress: &api.Progress{Phase: "draining", Targets: []api.TargetProgress{{Target: "web-1:3000", InFlight: 3}}}},
	{Result: &api.Result{
		Service: "web", Targets: []api.Target{{Address: "web-2:3000"}},
		Waited: api.Duration(210 * time.Millisecond), Switched: api.Duration(3 * time.Millisecond),
		Drained: []api.Drained{{Target: "web-1:3000", Waited: api.Duration(1234 * time.Millisecond)}},
	}},
}

func TestDeploy_output(t *testing.T) {
	d := startDaemon(t, streams(webDeployed...))
	line := []string{"deploy", "web", "--target", "web-2:3000"}
	t.Run("terminal", func(t *testing.T) {
		got := proxyctl(t, d.socket, line, onTerminal)
		if want := "web: 1 target healthy after 210ms, switched in 3ms, drained web-1:3000 in 1.2s, 0 cut\n"; got.stdout != want {
			t.Errorf("got  %q\nwant %q", got.stdout, want)
		}
		want := "\r\x1b[Kweb: probing, web-2:3000 starting (GET /up: 503, checks: database=false·[31m)" +
			"\r\x1b[Kweb: probing, web-2:3000 healthy\r\x1b[Kweb: draining, web-1:3000 3 in flight\r\x1b[K"
		if got.stderr != want {
			t.Errorf("got  %q\nwant %q", got.stderr, want)
		}
	})
	t.Run("progress", func(t *testing.T) {
		got := proxyctl(t, d.socket, append(line, "--progress"))
		want := "web: probing, web-2:3000 starting (GET /up: 503, checks: database=false·[31m)\n" +
			"web: probing, web-2:3000 healthy\nweb: draining, web-1:3000 3 in flight\n"
		if got != (run{stderr: want}) {
			t.Errorf("got %+v, want %q", got, want)
		}
	})
	t.Run("json", func(t *testing.T) {
		got := proxyctl(t, d.socket, append(line, "--json"))
		if got.status != 0 || got.stderr != "" || !strings.Contains(got.stdout, `"waited": "210ms"`) {
			t.Errorf("got %+v, want the result as JSON", got)
		}
	})
}

func TestDeploy_failureIsOneSentence(t *testing.T) {
	e := api.Error{Code: api.CodeUnhealthy, Message: "target web-2:3000 is not healthy: GET /up: 503", Flag: "--deploy-timeout"}
	want := "Error: target web-2:3000 is not healthy: GET /up: 503 (see --deploy-timeout)\n"
	for name, answer := range map[string]http.HandlerFunc{
		"before the stream": refuses(422, e),
		"in the stream":     streams(webDeployed[0], api.Event{Error: &e}),
	} {
		t.Run(name, func(t *testing.T) {
			d := startDaemon(t, answer)
			got := proxyctl(t, d.socket, []string{"deploy", "web", "--target", "web-2:3000"})
			if got != (run{status: 1, stderr: want}) {
				t.Errorf("got %+v, want %q", got, want)
			}
			got = proxyctl(t, d.socket, []string{"deploy", "web", "--target", "web-2:3000", "--json"})
			if got.stderr != want || !strings.Contains(got.stdout, `"code": "unhealthy"`) {
				t.Errorf("json: got %+v, want the error as well", got)
			}
		})
	}
}

func TestDeploy_cancelSaysWhetherAnythingChanged(t *testing.T) {
	for phase, want := range map[string]string{
		"queued":    "Error: canceled before the switch: nothing was changed\n",
		"probing":   "Error: canceled before the switch: nothing was changed\n",
		"switching": "Error: canceled during the switch: proxyctl list shows what is live now\n",
		"draining":  "Error: canceled while draining: the change is live, but requests may still be in flight; wait before stopping anything\n",
	} {
		t.Run(phase, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			d := startDaemon(t, func(w http.ResponseWriter, r *http.Request) {
				streams(api.Event{Progress: &api.Progress{Phase: phase}})(w, r)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			})
			seen := func(s *session) { s.err.Writer = writerFunc(func([]byte) { cancel() }) }
			got := proxyctlContext(ctx, d.socket, []string{"deploy", "web", "--target", "a:1", "--progress"}, seen)
			if got != (run{status: 1, stderr: want}) {
				t.Errorf("got %+v, want %q", got, want)
			}
		})
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
