package kamalstate

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"upfront/api"
)

// current is what kamal-proxy v0.9.2 wrote after a deploy with every kind of option,
// a rollout and a pause.
const current = `{"name":"web","options":{"hosts":["a.test","*.b.test"],"path_prefixes":["/"],"tls_enabled":true,"tls_certificate_path":"/c.pem","tls_private_key_path":"/k.pem","tls_on_demand_url":"","tls_redirect":false,"canonical_host":"a.test","acme_directory":"https://acme.test/dir","acme_cache_path":"/home/kamal-proxy/.config/kamal-proxy/certs","error_page_path":"/pages","strip_prefix":true,"writer_affinity_timeout":3000000000,"read_targets_accept_websockets":true,"exclude_metrics_paths":["/up"],"client_ip_header":"True-Client-IP"},"target_options":{"health_check_config":{"path":"/health","port":9000,"interval":2000000000,"timeout":4000000000,"host":"h.test"},"response_timeout":10000000000,"buffer_requests":true,"buffer_responses":true,"max_memory_buffer_size":4096,"max_request_body_size":8192,"max_response_body_size":16384,"log_request_headers":["User-Agent"],"log_response_headers":["Age"],"forward_headers":true,"scope_cookie_paths":true},"active_targets":["0123456789ab:3000"],"active_readers":["ba9876543210:3000"],"rollout_targets":["cafecafecafe:3000"],"rollout_readers":[],"pause_controller":{"state":1,"stop_message":"","fail_after":60000000000},"rollout_controller":{"percentage":20,"percentage_split_point":858993459,"allowlist":["a","b"]}}`

// legacy is the form before there were several targets.
const legacy = `{"name":"old","hosts":["old.test"],"path_prefixes":["/api"],"options":{"tls_enabled":false},"target_options":{"health_check_config":{"path":"/up","interval":1000000000,"timeout":5000000000},"response_timeout":30000000000},"active_target":"old-1:3000","rollout_target":"old-2:3000","pause_controller":{"state":2,"stop_message":"Back soon","fail_after":0},"rollout_controller":null}`

func wantServices(t *testing.T, services []api.ServiceState, names ...string) {
	t.Helper()
	got := make([]string, len(services))
	for i, s := range services {
		got[i] = s.Name
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Fatalf("got services %v, want %v", got, names)
	}
}

func TestRead_currentForm(t *testing.T) {
	services, lost := parse([]byte("[" + current + "]"))
	wantServices(t, services, "web")
	if lost != nil {
		t.Errorf("lost: got %v, want nothing", lost)
	}
	want := api.ServiceState{
		Name: "web",
		Spec: api.Spec{
			Hosts: []string{"a.test", "*.b.test"}, PathPrefixes: []string{"/"},
			HealthCheck:   api.HealthCheck{Paths: []string{"/health"}, Port: 9000, Host: "h.test", Interval: 2e9, Timeout: 4e9},
			TargetTimeout: 10e9, BufferRequests: true, BufferResponses: true, BufferMemory: 4096,
			MaxRequestBody: 8192, MaxResponseBody: 16384, ErrorPages: "/pages",
			WriterAffinityTimeout: 3e9, ReadTargetWebSockets: true, ForwardHeaders: new(true), ClientIPHeader: "True-Client-IP",
			ScopeCookiePaths: true, LogRequestHeaders: []string{"User-Agent"}, LogResponseHeaders: []string{"Age"},
			ExcludeMetricsPaths: []string{"/up"},
			TLS: &api.TLS{
				Certificates: []api.CertificateFiles{{Certificate: "/c.pem", Key: "/k.pem"}}, Redirect: new(false),
			},
			CanonicalHost: "a.test",
		},
		Targets: []api.Target{{Address: "0123456789ab:3000"}}, Readers: []api.Target{{Address: "ba9876543210:3000"}},
		Rollout: &api.RolloutState{
			Targets: []api.Target{{Address: "cafecafecafe:3000"}}, Split: api.Split{Percent: 20, List: []string{"a", "b"}},
		},
		Gate: api.GateState{State: "paused", MaxPause: 60e9},
	}
	if !reflect.DeepEqual(services[0], want) {
		t.Errorf("got  %+v\nwant %+v", services[0], want)
	}
}

func TestRead_legacyForm(t *testing.T) {
	services, lost := parse([]byte("[" + legacy + "]"))
	wantServices(t, services, "old")
	got := services[0]
	if lost != nil || got.Targets[0].Address != "old-1:3000" || got.Rollout.Targets[0].Address != "old-2:3000" {
		t.Errorf("got %+v and %v, want the targets of the legacy keys", got, lost)
	}
	if got.Spec.Hosts[0] != "old.test" || got.Spec.PathPrefixes[0] != "/api" || got.Spec.KeepPathPrefix {
		t.Errorf("got spec %+v, want the routes of the legacy keys", got.Spec)
	}
	if got.Gate != (api.GateState{State: "stopped", Message: "Back soon"}) || got.Rollout.Split.Sends() {
		t.Errorf("got gate %+v and split %+v", got.Gate, got.Rollout.Split)
	}
	if !*got.Spec.ForwardHeaders {
		t.Error("X-Forwarded-* are not forwarded, as a service without TLS has them by default")
	}
}

// What an entry says of TLS, by its options.
func TestRead_TLS(t *testing.T) {
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		options string
		want    *api.TLS
	}{
		"off":       {`"hosts":["a.test"],"tls_certificate_path":"/c","tls_private_key_path":"/k"`, nil},
		"automatic": {`"hosts":["a.test"],"tls_enabled":true,"tls_redirect":true,"acme_cache_path":"/certs"`, &api.TLS{Automatic: &api.AutomaticTLS{CachePath: "/certs"}, Redirect: new(true)}},
		"staging":   {`"hosts":["a.test"],"tls_enabled":true,"acme_directory":"https://acme.test/dir"`, &api.TLS{Automatic: &api.AutomaticTLS{Directory: "https://acme.test/dir"}}},
		"on demand": {`"hosts":[""],"tls_enabled":true,"tls_on_demand_url":"/ok"`, &api.TLS{Automatic: &api.AutomaticTLS{OnDemand: "/ok"}}},
		"copied":    {`"hosts":["a.test"],"path_prefixes":["/api"],"tls_enabled":true`, nil},
		"relative": {
			`"hosts":["a.test"],"tls_enabled":true,"tls_certificate_path":"c","tls_private_key_path":"k"`,
			&api.TLS{Certificates: []api.CertificateFiles{{Certificate: filepath.Join(folder, "c"), Key: filepath.Join(folder, "k")}}},
		},
	} {
		services, lost := parse([]byte(`[{"name":"web","active_targets":["x1:80"],"options":{` + test.options + `}}]`))
		wantServices(t, services, "web")
		if got := services[0].Spec.TLS; lost != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v and %v, want %+v", name, got, lost, test.want)
		}
	}
}

// One entry that cannot be what it was costs none of the others.
func TestRead_aBrokenEntryCostsNoOther(t *testing.T) {
	const last = `{"name":"last","options":{"hosts":[""]},"active_targets":["x1:80"]}`
	for name, broken := range map[string]string{
		"no object":         `7`,
		"a name":            `{"name":"bad name","active_targets":["x1:80"]}`,
		"a type":            `{"name":"bad","options":{"hosts":"x"},"active_targets":["x1:80"]}`,
		"no target":         `{"name":"bad","options":{},"active_targets":[]}`,
		"an address":        `{"name":"bad","active_targets":["x:y"]}`,
		"a pause state":     `{"name":"bad","active_targets":["x1:80"],"pause_controller":{"state":9}}`,
		"a health check":    `{"name":"bad","active_targets":["x1:80"],"target_options":{"health_check_config":{"path":"up"}}}`,
		"the name of other": `{"name":"web","active_targets":["x1:80"]}`,
	} {
		services, lost := parse([]byte("[" + current + "," + broken + "," + last + "]"))
		wantServices(t, services, "web", "last")
		if len(lost) != 1 {
			t.Errorf("%s: got %v, want one reason", name, lost)
		}
		if len(services[1].Spec.Hosts) > 0 {
			t.Errorf("hosts: got %v, want every host", services[1].Spec.Hosts)
		}
	}
}

// kamal-proxy truncates its file before it writes it.
func TestRead_aFileThatBreaksOff(t *testing.T) {
	whole := "[" + current + "," + legacy + "]"
	for cut := range len(whole) - 1 {
		services, lost := parse([]byte(whole[:cut+1]))
		if len(lost) == 0 {
			t.Fatalf("cut behind byte %d: nothing is said to be lost", cut)
		}
		if want := cut+1 > len(current); want != (len(services) > 0) {
			t.Fatalf("cut behind byte %d: got %d services and %v", cut, len(services), lost)
		}
	}
	for _, text := range []string{"", "null", "{}"} {
		if services, lost := parse([]byte(text)); len(services) > 0 || len(lost) == 0 {
			t.Errorf("%q: got %v and %v, want a reason", text, services, lost)
		}
	}
}

func TestRead_fromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kamal-proxy.state")
	if _, _, err := Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
	if err := os.WriteFile(path, []byte("["+legacy+"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	services, lost, err := Read(path)
	if err != nil || lost != nil {
		t.Errorf("got %v and %v", lost, err)
	}
	wantServices(t, services, "old")
}
