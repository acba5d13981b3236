package control

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"upfront/api"
)

func TestServer_callsTheRegistry(t *testing.T) {
	tests := []struct {
		path, body string
		want       string
	}{
		{
			"/v1/services/web/deploy",
			`{"spec":{"hosts":["a.test"],"health_check":{"paths":["/up"],"interval":"2s"}},"targets":[{"address":"web-1:3000","weight":2}],"drain_timeout":"1m","supersede":true}`,
			"deploy web {Spec:{Hosts:[a.test]",
		},
		{"/v1/services/web/add", `{"target":{"address":"web-2:3000"}}`, "add web {Target:{Address:web-2:3000 Weight:0} DeployTimeout:0s}"},
		{"/v1/services/web/remove", `{"target":"web-2:3000"}`, "remove web {Target:web-2:3000 DrainTimeout:0s}"},
		{"/v1/services/web/drain", `{"drain_timeout":"5s"}`, "drain web {Target: DrainTimeout:5s}"},
		{"/v1/services/web/pause", `{"max_pause":"1s"}`, "pause web {DrainTimeout:0s MaxPause:1s}"},
		{"/v1/services/web/stop", `{"message":"Back at <noon>"}`, "stop web {DrainTimeout:0s Message:Back at <noon>}"},
		{"/v1/services/web/resume", ``, "resume web <nil>"},
		{"/v1/services/web/rollback", `{}`, "rollback web {DeployTimeout:0s DrainTimeout:0s}"},
		{"/v1/services/odd%2Fname/drain", ``, "drain odd/name {Target: DrainTimeout:0s}"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			registry := &fakeRegistry{}
			status, body := start(t, Options{Registry: registry}).ask(t, "POST", tt.path, tt.body)
			if status != http.StatusOK || !strings.Contains(body, `"service":`) {
				t.Fatalf("got %d %s, want 200 and a result", status, body)
			}
			if calls := registry.seen(); len(calls) != 1 || !strings.HasPrefix(calls[0], tt.want) {
				t.Errorf("got calls %q, want one that starts with %q", calls, tt.want)
			}
		})
	}
}

func TestServer_reads(t *testing.T) {
	registry := &fakeRegistry{services: []api.ServiceInfo{{Name: "web"}, {Name: "api"}}}
	s := start(t, Options{Registry: registry})
	tests := []struct {
		path   string
		status int
		want   string
	}{
		{"/v1/version", 200, `{"version":"v1.2.3"}`},
		{"/v1/status", 200, `"pid":7`},
		{"/v1/services", 200, `{"services":[{"name":"api"`},
		{"/v1/services/web", 200, `{"name":"web"`},
		{"/v1/services/nope", 404, `no service \"nope\"`},
		{"/v1/metrics", 200, "# TYPE upfront_responses_total counter\nupfront_responses_total{code=\"200\"} 5\nupfront_responses_total{code=\"502\"} 1\n"},
		{"/v1/openapi.json", 200, `"openapi": "3.1.0"`},
		{"/v1/nothing", 404, `no call GET \"/v1/nothing\"`},
		{"/", 404, `"not_found"`},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			status, body := s.ask(t, "GET", tt.path, "")
			if status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("got %d %s, want %d and %s", status, body, tt.status, tt.want)
			}
		})
	}
}

func TestServer_services_isNeverNull(t *testing.T) {
	_, body := start(t, Options{Registry: &fakeRegistry{}}).ask(t, "GET", "/v1/services", "")
	if want := "{\"services\":[]}\n"; body != want {
		t.Errorf("got %q, want %q", body, want)
	}
}

func TestServer_wrongMethodNamesTheRightOne(t *testing.T) {
	s := start(t, Options{Registry: &fakeRegistry{}})
	status, body := s.ask(t, "GET", "/v1/services/web/deploy", "")
	if e := errorIn(t, body); status != 405 || !strings.Contains(e.Message, "use POST") {
		t.Errorf("got %d %q, want 405 and a sentence with POST", status, e.Message)
	}
}

func TestServer_errorHasItsStatus(t *testing.T) {
	for code, want := range statuses {
		registry := &fakeRegistry{call: func(context.Context, string, string, any, func(api.Progress)) (*api.Result, error) {
			return nil, &api.Error{Code: code, Message: "a sentence", Flag: "--host"}
		}}
		status, body := start(t, Options{Registry: registry}).ask(t, "POST", "/v1/services/web/deploy", "{}")
		if got := errorIn(t, body); status != want || got.Code != code || got.Flag != "--host" || got.Message != "a sentence" {
			t.Errorf("%s: got %d %+v, want %d", code, status, got, want)
		}
	}
}

func TestServer_unknownErrorIsInternal(t *testing.T) {
	registry := &fakeRegistry{call: func(context.Context, string, string, any, func(api.Progress)) (*api.Result, error) {
		return nil, errors.New("disk on fire")
	}}
	status, body := start(t, Options{Registry: registry}).ask(t, "POST", "/v1/services/web/resume", "")
	if got := errorIn(t, body); status != 500 || got.Code != api.CodeInternal || got.Message != "disk on fire" {
		t.Errorf("got %d %+v, want 500 internal", status, got)
	}
}

func TestServer_reloadAndCheckTellWhatIsWrong(t *testing.T) {
	bad := errors.New("proxy.yml:3:5: unknown key \"hots\"")
	var path, text string
	s := start(t, Options{Registry: &fakeRegistry{}, Daemon: fakeDaemon{
		reload: func(context.Context) error { return bad },
		check: func(p string, b []byte) error {
			path, text = p, string(b)
			return bad
		},
	}})
	for _, call := range []string{"/v1/reload", "/v1/check"} {
		body := ""
		if call == "/v1/check" {
			body = `{"path":"proxy.yml","text":"hots: 1"}`
		}
		status, answer := s.ask(t, "POST", call, body)
		if got := errorIn(t, answer); status != 400 || got.Message != bad.Error() {
			t.Errorf("%s: got %d %+v, want 400 and the problem", call, status, got)
		}
	}
	if path != "proxy.yml" || text != "hots: 1" {
		t.Errorf("checked %q %q, want the file of the request", path, text)
	}
	good := start(t, Options{Registry: &fakeRegistry{}})
	if status, _ := good.ask(t, "POST", "/v1/reload", ""); status != 200 {
		t.Errorf("good reload: got %d, want 200", status)
	}
}

func TestServer_panicIsOneCallsProblem(t *testing.T) {
	registry := &fakeRegistry{call: func(_ context.Context, _, name string, _ any, progress func(api.Progress)) (*api.Result, error) {
		if name == "streamed" {
			progress(api.Progress{Phase: "probing"})
		}
		panic("the end of the world")
	}}
	s := start(t, Options{Registry: registry})
	for _, path := range []string{"/v1/services/web/deploy", "/v1/services/web/resume"} {
		status, body := s.ask(t, "POST", path, "")
		if got := errorIn(t, body); status != 500 || !strings.Contains(got.Message, "the end of the world") {
			t.Errorf("%s: got %d %+v, want 500 and the panic", path, status, got)
		}
	}
	_, body := s.ask(t, "POST", "/v1/services/streamed/deploy", "")
	events := eventsIn(t, body)
	if len(events) != 2 || events[1].Error == nil || events[1].Error.Code != api.CodeInternal {
		t.Errorf("got events %s, want progress, then an internal error", body)
	}
	if status, _ := s.ask(t, "GET", "/v1/version", ""); status != 200 {
		t.Errorf("next call: got %d, want 200", status)
	}
}

func TestStatusOf_everyCode(t *testing.T) {
	if got := statusOf("made up"); got != 500 {
		t.Errorf("unknown code: got %d, want 500", got)
	}
	codes := []api.Code{
		api.CodeInvalid, api.CodeNotFound, api.CodeConflict, api.CodeOwned, api.CodeUnhealthy, api.CodeCanceled,
		api.CodeSuperseded, api.CodeState, api.CodeInternal, api.CodeBusy, api.CodeDenied, api.CodeTooLarge,
		api.CodeTimeout, api.CodeNoConfig, api.CodeNoPrevious, api.CodeNoRollout,
	}
	for code := range statuses {
		if !slices.Contains(codes, code) {
			t.Errorf("status of %q, which is not a code", code)
		}
	}
	for _, code := range codes {
		if _, ok := statuses[code]; !ok {
			t.Errorf("code %q has no status", code)
		}
	}
}

func TestOpenAPI(t *testing.T) {
	golden(t, "openapi.json", openAPI())
}

func TestMetricsText(t *testing.T) {
	want := `# TYPE upfront_connections gauge
upfront_connections 2
# TYPE upfront_responses_total counter
upfront_responses_total{code="200"} 5
upfront_responses_total{code="502"} 1
# TYPE upfront_responses_total_bytes gauge
upfront_responses_total_bytes 9
`
	if got := string(metricsText(fakeDaemon{}.Counters())); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
