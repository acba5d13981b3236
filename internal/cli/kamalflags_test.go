package cli

import (
	"strings"
	"testing"
)

// kamalMeans is what the daemon is told of each flag of deploy: a line with it, and a
// part of the call that is not there without.
var kamalMeans = map[string]struct{ line, want string }{
	"target":                  {"--target b:3000,c_d.e", `"targets":[{"address":"a:1"},{"address":"b:3000"},{"address":"c_d.e"}]`},
	"read-target":             {"--read-target b:2 --read-target c:3", `"readers":[{"address":"b:2"},{"address":"c:3"}]`},
	"host":                    {"--host h.test,*.i.test", `"hosts":["h.test","*.i.test"]`},
	"path-prefix":             {"--path-prefix api/ --path-prefix /x", `"path_prefixes":["api/","/x"]`},
	"strip-path-prefix":       {"--strip-path-prefix=false", `"keep_path_prefix":true`},
	"tls":                     {"--tls --host h.test", `"tls":{`},
	"tls-on-demand-url":       {"--tls --tls-on-demand-url https://a.test/ok", `"on_demand":"https://a.test/ok"`},
	"tls-staging":             {"--tls --host h.test --tls-staging", `"directory":"https://acme-staging-v02.api.letsencrypt.org/directory"`},
	"tls-certificate-path":    {"--tls --host h.test --tls-certificate-path /c --tls-private-key-path /k", `"certificate":"/c"`},
	"tls-private-key-path":    {"--tls --host h.test --tls-certificate-path /c --tls-private-key-path /k", `"key":"/k"`},
	"tls-acme-cache-path":     {"--tls --host h.test --tls-acme-cache-path /cache", `"cache_path":"/cache"`},
	"tls-redirect":            {"--tls --host h.test --tls-redirect=false", `"redirect":false`},
	"canonical-host":          {"--host h.test,i.test --canonical-host i.test", `"canonical_host":"i.test"`},
	"deploy-timeout":          {"--deploy-timeout 1m30s", `"deploy_timeout":"1m30s"`},
	"drain-timeout":           {"--drain-timeout 5s", `"drain_timeout":"5s"`},
	"force":                   {"--force", `"force":true`},
	"health-check-interval":   {"--health-check-interval 3s", `"interval":"3s"`},
	"health-check-timeout":    {"--health-check-timeout 4s", `"timeout":"4s"`},
	"health-check-path":       {"--health-check-path /health", `"paths":["/health"]`},
	"health-check-port":       {"--health-check-port 9000", `"port":9000`},
	"health-check-host":       {"--health-check-host h.test", `"host":"h.test"`},
	"writer-affinity-timeout": {"--writer-affinity-timeout 250ms --read-target b:2", `"writer_affinity_timeout":"250ms"`},
	"read-target-websockets":  {"--read-target-websockets --read-target b:2", `"read_target_websockets":true`},
	"target-timeout":          {"--target-timeout 10s", `"target_timeout":"10s"`},
	"buffer-requests":         {"--buffer-requests", `"buffer_requests":true`},
	"buffer-responses":        {"--buffer-responses", `"buffer_responses":true`},
	"buffer-memory":           {"--buffer-memory 4096 --buffer-requests", `"buffer_memory":4096`},
	// Kamal sends both; kamal-proxy then takes the limit and enforces none.
	"max-request-body":     {"--max-request-body 5 --buffer-requests=false", `"max_request_body":5`},
	"max-response-body":    {"--max-response-body 5 --buffer-responses=false", `"max_response_body":5`},
	"error-pages":          {"--error-pages /pages", `"error_pages":"/pages"`},
	"log-request-header":   {"--log-request-header X-A,X-B", `"log_request_headers":["X-A","X-B"]`},
	"log-response-header":  {"--log-response-header X-A --log-response-header X-B", `"log_response_headers":["X-A","X-B"]`},
	"exclude-metrics-path": {"--exclude-metrics-path /up", `"exclude_metrics_paths":["/up"]`},
	"forward-headers":      {"--forward-headers=false", `"forward_headers":false`},
	"client-ip-header":     {"--client-ip-header X-IP", `"client_ip_header":"X-IP"`},
	"scope-cookie-paths":   {"--scope-cookie-paths", `"scope_cookie_paths":true`},
	"publish-health-check": {"--publish-health-check", `"publish_health_check":true`},
}

// No flag is taken and then forgotten.
func TestKamal_everyFlagOfDeployReachesTheDaemon(t *testing.T) {
	d := startDaemon(t, streams(webDeployed...))
	send := func(name, line string) string {
		args := append([]string{"deploy", "web", "--target", "a:1"}, strings.Fields(line)...)
		if got := kamalProxy(t, d.socket, map[string]string{"HOME": "/home/me"}, args...); got != (run{}) {
			t.Errorf("--%s: %q: got %+v, want silence and status 0", name, args, got)
			return ""
		}
		asked := d.requests()
		return asked[len(asked)-1]
	}
	plain := send("target", "")
	for _, flag := range kamalDeployFlags {
		means, known := kamalMeans[flag.name]
		if !known || strings.Contains(plain, means.want) {
			t.Errorf("--%s: the test knows of nothing that it changes", flag.name)
			continue
		}
		if got := send(flag.name, means.line); !strings.Contains(got, means.want) {
			t.Errorf("--%s: %q sends %s, want %s in it", flag.name, means.line, got, means.want)
		}
	}
}

// A value that a type does not have is refused in the words of kamal-proxy, and so is
// a flag that lacks one.
func TestKamal_everyFlagRefusesWhatItsTypeHasNot(t *testing.T) {
	bad := map[string][2]string{
		"bool":     {"maybe", `strconv.ParseBool: parsing "maybe": invalid syntax`},
		"int":      {"x", `strconv.ParseInt: parsing "x": invalid syntax`},
		"int64":    {"1MB", `strconv.ParseInt: parsing "1MB": invalid syntax`},
		"duration": {"5", `time: missing unit in duration "5"`},
	}
	root := newSession(kamalOptions("", nil, nil)).kamalRoot()
	for _, line := range kamalCommands {
		cmd, _, err := root.Find(strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range kamalFlags[line] {
			f := cmd.Flags().Lookup(flag.name)
			if f == nil {
				t.Errorf("%s: no flag --%s", line, flag.name)
				continue
			}
			if value, has := bad[f.Value.Type()]; has {
				args := append(strings.Fields(line), "web", "--"+flag.name+"="+value[0])
				want := "Error: invalid argument \"" + value[0] + "\" for \"--" + flag.name + "\" flag: " + value[1] + "\n"
				if got := kamalProxy(t, "/nowhere", nil, args...); got != (run{status: 1, stderr: want}) {
					t.Errorf("%q: got %+v, want %q", args, got, want)
				}
			}
			if f.NoOptDefVal == "" {
				args := append(strings.Fields(line), "web", "--"+flag.name)
				want := "Error: flag needs an argument: --" + flag.name + "\n"
				if got := kamalProxy(t, "/nowhere", nil, args...); got != (run{status: 1, stderr: want}) {
					t.Errorf("%q: got %+v, want %q", args, got, want)
				}
			}
		}
	}
}
