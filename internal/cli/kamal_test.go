package cli

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"upfront/api"
)

// kamalProxy runs a line under kamal-proxy's name.
func kamalProxy(t *testing.T, socket string, env map[string]string, args ...string) run {
	t.Helper()
	got, _ := kamalRunning(t, socket, env, args...)
	return got
}

// kamalRunning returns what the command run was told as well.
func kamalRunning(t *testing.T, socket string, env map[string]string, args ...string) (run, *KamalRun) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	var told *KamalRun
	s := newSession(kamalOptions(socket, env, func(_ context.Context, o KamalRun) error {
		told = &o
		return nil
	}))
	s.Stdout, s.Stderr = &stdout, &stderr
	status := s.run(t.Context(), args)
	return run{status, stdout.String(), stderr.String()}, told
}

func kamalOptions(socket string, env map[string]string, running func(context.Context, KamalRun) error) Options {
	return Options{
		Name: "kamal-proxy", Version: "v1.0.0", Kamal: &Kamal{Run: running},
		Env: func(name string) string {
			if name == api.KamalSocketVariable && socket != "" {
				return socket
			}
			return env[name]
		},
		Now: func() time.Time { return noon },
	}.withDefaults()
}

// kamalFlag is a flag of kamal-proxy, with the type that help texts say.
type kamalFlag struct{ name, kind, value string }

const slice, dur = "stringSlice", "duration"

var kamalDeployFlags = []kamalFlag{
	{"target", slice, "[]"},
	{"read-target", slice, "[]"},
	{"host", slice, "[]"},
	{"path-prefix", slice, "[]"},
	{"strip-path-prefix", "bool", "true"},
	{"tls", "bool", "false"},
	{"tls-on-demand-url", "string", ""},
	{"tls-staging", "bool", "false"},
	{"tls-certificate-path", "string", ""},
	{"tls-private-key-path", "string", ""},
	{"tls-acme-cache-path", "string", "/home/me/.config/kamal-proxy/certs"},
	{"tls-redirect", "bool", "true"},
	{"canonical-host", "string", ""},
	{"deploy-timeout", dur, "30s"},
	{"drain-timeout", dur, "30s"},
	{"force", "bool", "false"},
	{"health-check-interval", dur, "1s"},
	{"health-check-timeout", dur, "5s"},
	{"health-check-path", "string", "/up"},
	{"health-check-port", "int", "0"},
	{"health-check-host", "string", ""},
	{"writer-affinity-timeout", dur, "1s"},
	{"read-target-websockets", "bool", "false"},
	{"target-timeout", dur, "30s"},
	{"buffer-requests", "bool", "false"},
	{"buffer-responses", "bool", "false"},
	{"buffer-memory", "int64", "1048576"},
	{"max-request-body", "int64", "0"},
	{"max-response-body", "int64", "0"},
	{"error-pages", "string", ""},
	{"log-request-header", slice, "[]"},
	{"log-response-header", slice, "[]"},
	{"exclude-metrics-path", slice, "[]"},
	{"forward-headers", "bool", "false"},
	{"client-ip-header", "string", ""},
	{"scope-cookie-paths", "bool", "false"},
	{"publish-health-check", "bool", "false"},
}

// kamalFlags are the flags that kamal-proxy's commands have.
var kamalFlags = map[string][]kamalFlag{
	"run": {
		{"debug", "bool", "false"},
		{"http-port", "int", "80"},
		{"https-port", "int", "443"},
		{"metrics-port", "int", "0"},
		{"http3", "bool", "false"},
	},
	"deploy": kamalDeployFlags,
	"rollout deploy": {
		{"target", slice, "[]"}, {"read-target", slice, "[]"}, {"deploy-timeout", dur, "30s"}, {"drain-timeout", dur, "30s"},
	},
	"rollout set":  {{"percent", "int", "0"}, {"list", slice, "[]"}},
	"rollout stop": nil,
	"stop":         {{"drain-timeout", dur, "30s"}, {"message", "string", ""}},
	"pause":        {{"drain-timeout", dur, "30s"}, {"max-pause", dur, "30s"}},
	"resume":       nil,
	"remove":       nil,
	"rm":           nil,
	"list":         {{"json", "bool", "false"}},
	"ls":           nil,
}

// Every command and flag that kamal-proxy has, with its type and default.
func TestKamal_everyFlag(t *testing.T) {
	root := newSession(kamalOptions("", map[string]string{"HOME": "/home/me"}, nil)).kamalRoot()
	for line, flags := range kamalFlags {
		cmd, rest, err := root.Find(strings.Fields(line))
		if err != nil || len(rest) > 0 {
			t.Errorf("%s: got %v, want a command", line, err)
			continue
		}
		for _, want := range flags {
			var got kamalFlag
			if f := cmd.Flags().Lookup(want.name); f != nil {
				got = kamalFlag{f.Name, f.Value.Type(), f.DefValue}
			}
			if got != want {
				t.Errorf("%s: got flag %+v, want %+v", line, got, want)
			}
		}
	}
}

// The sentences of kamal-proxy for what it finds without its daemon.
func TestKamal_refusals(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"frob", "Error: unknown command \"frob\" for \"kamal-proxy\"\nRun 'kamal-proxy --help' for usage.\n"},
		{"deploy", "Error: accepts 1 arg(s), received 0\n"},
		{"deploy web", "Error: required flag(s) \"target\" not set\n"},
		{"deploy web --target a:1 --tls false", "Error: accepts 1 arg(s), received 2\n"},
		{"deploy web --target a:1 --bogus", "Error: unknown flag: --bogus\n"},
		{"deploy web --target a:1 --health-check-interval 5", "Error: invalid argument \"5\" for \"--health-check-interval\" flag: time: missing unit in duration \"5\"\n"},
		{"deploy web --target a:1 --tls", "Error: service options invalid: host must be set when using TLS\n"},
		{"deploy web --target a:1 --tls --host h --path-prefix /api", "Error: service options invalid: TLS settings must be specified on the root path service\n"},
		{"deploy web --target a:1 --host y --canonical-host z", "Error: service options invalid: canonical-host 'z' must be present in the hosts list: [y]\n"},
		{"deploy web --target a:1 --tls --host *.h.test", "Error: automatic TLS does not support wildcards\n"},
		{"deploy web --target a:1 --tls-on-demand-url /ok", "Error: service options invalid: TLS must be enabled to use a TLS on-demand URL\n"},
		{"deploy web --target a:1 --tls --host h --tls-on-demand-url /ok", "Error: service options invalid: cannot set hosts when using a TLS on-demand URL\n"},
		{
			"deploy web --target a:1 --tls --host h --tls-certificate-path /c",
			"Error: if any flags in the group [tls-certificate-path tls-private-key-path] are set they must all be set; missing [tls-private-key-path]\n",
		},
		{"deploy web --target a:1 --max-request-body 5", "Error: max-request-body can only be set when request buffering is enabled\n"},
		{"deploy web --target a:1 --max-response-body 5", "Error: max-response-body can only be set when response buffering is enabled\n"},
		{"rollout deploy web", "Error: required flag(s) \"target\" not set\n"},
		{"rollout set web", "Error: at least one of the flags in the group [percent list] is required\n"},
		{"rollout set web --percent 250", "Error: percent 250 is not between 0 and 100: change --percent\n"},
		{"stop web extra", "Error: accepts 1 arg(s), received 2\n"},
		{"remove", "Error: accepts 1 arg(s), received 0\n"},
		{"list", "Error: dial unix /nowhere/k.sock: connect: no such file or directory\n"},
		{"deploy web --target a:1", "Error: dial unix /nowhere/k.sock: connect: no such file or directory\n"},
	} {
		if got, want := kamalProxy(t, "/nowhere/k.sock", nil, strings.Fields(test.line)...), (run{status: 1, stderr: test.want}); got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", test.line, got, want)
		}
	}
	got := kamalProxy(t, "/nowhere/k.sock", nil, "deploy", "web", "--target", "foo:bar")
	if want := "Error: foo:bar :invalid host pattern"; got.status != 1 || !strings.HasPrefix(got.stderr, want) {
		t.Errorf("got %+v, want %q", got, want)
	}
	if got := kamalProxy(t, "", nil); got.status != 0 || !strings.Contains(got.stdout, "Available Commands") {
		t.Errorf("without a command: got %+v, want help", got)
	}
}

// What the daemon finds begins with kamal-proxy's words, and goes on with ours.
func TestKamal_errorsOfTheDaemon(t *testing.T) {
	deploy := []string{"deploy", "web", "--target", "a:1", "--deploy-timeout", "2s"}
	for _, test := range []struct {
		e    api.Error
		line []string
		want string
	}{
		{api.Error{Code: api.CodeUnhealthy, Message: "last probe: 503"}, deploy, "target failed to become healthy within configured timeout (2s): last probe: 503"},
		{api.Error{Code: api.CodeConflict, Message: "other has it", Flag: "--host"}, deploy, "host settings conflict with another service: other has it"},
		{api.Error{Code: api.CodeInvalid, Message: "no such folder", Flag: "--error-pages"}, deploy, "unable to load error pages: no such folder"},
		{api.Error{Code: api.CodeInvalid, Message: "no such file", Flag: "--tls-certificate-path"}, deploy, "unable to load certificate: no such file"},
		{api.Error{Code: api.CodeNotFound, Message: "none"}, []string{"resume", "web"}, "service not found: none"},
		{api.Error{Code: api.CodeNoRollout, Message: "none"}, []string{"rollout", "set", "web", "--percent", "5"}, "rollout target not set: none"},
	} {
		d := startDaemon(t, refuses(409, test.e))
		if got, want := kamalProxy(t, d.socket, nil, test.line...), (run{status: 1, stderr: "Error: " + test.want + "\n"}); got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}

// The line that Kamal 2.12 sends, and what its user did not say.
func TestKamal_deploySendsWhatKamalTyped(t *testing.T) {
	d := startDaemon(t, streams(webDeployed...))
	got := kamalProxy(t, d.socket, map[string]string{"HOME": "/home/me"}, "deploy", "app-web", `--target=0123456789ab:3000`, `--host=a.test`, `--tls`,
		`--deploy-timeout=30s`, `--drain-timeout=30s`, `--health-check-interval=3s`, `--health-check-timeout=3s`, `--health-check-path=/health`,
		`--target-timeout=10s`, `--buffer-requests`, `--buffer-responses`, `--strip-path-prefix=false`, `--tls-redirect=false`,
		`--log-request-header=Cache-Control`, `--log-request-header=Last-Modified`, `--log-request-header=User-Agent`)
	if got != (run{}) {
		t.Errorf("got %+v, want silence and status 0", got)
	}
	want := `POST /v1/services/app-web/deploy {"spec":{"hosts":["a.test"],"keep_path_prefix":true,"tls":{"automatic":{"cache_path":"/home/me/.config/kamal-proxy/certs"},"redirect":false},"health_check":{"paths":["/health"],"interval":"3s","timeout":"3s","healthy_threshold":1,"max_attempts":3,"status":"200-299"},"policy":"round_robin","target_timeout":"10s","buffer_requests":true,"buffer_responses":true,"buffer_memory":1048576,"forward_headers":false,"log_request_headers":["Cache-Control","Last-Modified","User-Agent"]},"targets":[{"address":"0123456789ab:3000"}],"deploy_timeout":"30s","drain_timeout":"30s"}`
	if asked := d.requests(); len(asked) != 1 || asked[0] != want {
		t.Errorf("got  %q\nwant %q", asked, want)
	}
	for line, want := range map[string]string{
		"":                                 `"forward_headers":true`,
		"--tls --host h":                   `"forward_headers":false`,
		"--tls --host h --forward-headers": `"forward_headers":true`,
		"--forward-headers=false":          `"forward_headers":false`,
	} {
		kamalProxy(t, d.socket, nil, append([]string{"deploy", "web", "--target", "a:1"}, strings.Fields(line)...)...)
		asked := d.requests()
		if last := asked[len(asked)-1]; !strings.Contains(last, want) {
			t.Errorf("%q: got %q, want %s", line, last, want)
		}
	}
}

// What a deploy asks for over TLS, flag by flag.
func TestKamal_deploySendsWhatItsTLSFlagsMean(t *testing.T) {
	d := startDaemon(t, streams(webDeployed...))
	const cache = `"cache_path":"/home/me/.config/kamal-proxy/certs"`
	for _, test := range []struct{ line, want string }{
		{"", ""},
		{"--tls-staging --tls-redirect=false --tls-acme-cache-path /c", ""}, // nothing without --tls
		{"--tls-certificate-path /c --tls-private-key-path /k", ""},
		{"--host h --canonical-host h", `"canonical_host":"h"`},
		{"--tls --host h", `"tls":{"automatic":{` + cache + `}}`},
		{"--tls --host h --tls-staging", `"tls":{"automatic":{"directory":"` + api.StagingDirectory + `",` + cache + `}}`},
		{"--tls --host h --tls-acme-cache-path /c", `"tls":{"automatic":{"cache_path":"/c"}}`},
		{"--tls --host h --tls-acme-directory https://ca.test/d", `"tls":{"automatic":{"directory":"https://ca.test/d",` + cache + `}}`},
		{"--tls --tls-on-demand-url /ok", `"tls":{"automatic":{` + cache + `,"on_demand":"/ok"}}`},
		{"--tls --host *.h --tls-certificate-path /c --tls-private-key-path /k --tls-staging", `"tls":{"certificates":[{"certificate":"/c","key":"/k"}]}`},
		{"--tls --host h --host i --canonical-host h --tls-redirect=false", `"tls":{"automatic":{` + cache + `},"redirect":false},"canonical_host":"h"`},
	} {
		line := append([]string{"deploy", "web", "--target", "a:1"}, strings.Fields(test.line)...)
		if got := kamalProxy(t, d.socket, map[string]string{"HOME": "/home/me"}, line...); got != (run{}) {
			t.Errorf("%q: got %+v, want silence and status 0", test.line, got)
			continue
		}
		asked := d.requests()
		if last := asked[len(asked)-1]; !strings.Contains(last, test.want) || test.want == "" && strings.Contains(last, `"tls"`) {
			t.Errorf("%q: got %q, want %s", test.line, last, test.want)
		}
	}
}

func TestKamal_listIsKamalProxysByteForByte(t *testing.T) {
	services := []api.ServiceInfo{
		{
			Name: "app-redis", Gate: "paused", Targets: []api.TargetInfo{{Address: "0123456789ab:6379"}},
			Spec: api.Spec{Hosts: []string{"a.test", "b.test"}, PathPrefixes: []string{"/a", "/b"}},
		},
		{
			Name: "web", Gate: "running", Targets: []api.TargetInfo{{Address: "x:80"}}, Readers: []api.TargetInfo{{Address: "y:80"}},
			Spec: api.Spec{PathPrefixes: []string{"/"}, TLS: &api.TLS{}},
		},
	}
	d := startDaemon(t, gives(api.Status{Services: services}))
	want := "" +
		"\x1b[3;94mService\x1b[0m    \x1b[3;94mHost\x1b[0m           \x1b[3;94mPath\x1b[0m   \x1b[3;94mTarget\x1b[0m             \x1b[3;94mState\x1b[0m    \x1b[3;94mTLS\x1b[0m  \n" +
		"\x1b[1;34mapp-redis\x1b[0m  \x1b[ma.test,b.test\x1b[0m  \x1b[m/a,/b\x1b[0m  \x1b[m0123456789ab:6379\x1b[0m  \x1b[mpaused\x1b[0m   \x1b[mno\x1b[0m   \n" +
		"\x1b[1;34mweb\x1b[0m        \x1b[m*\x1b[0m              \x1b[m/\x1b[0m      \x1b[mx:80,y:80\x1b[0m          \x1b[mrunning\x1b[0m  \x1b[myes\x1b[0m  \n"
	for _, name := range []string{"list", "ls"} {
		if got := kamalProxy(t, d.socket, nil, name); got != (run{stdout: want}) {
			t.Errorf("%s: got\n%q\nwant\n%q", name, got.stdout, want)
		}
	}
	if got := kamalProxy(t, d.socket, nil, "list", "--json"); got.status != 0 || !strings.Contains(got.stdout, `"name": "app-redis"`) {
		t.Errorf("list --json: got %+v", got)
	}
}

func TestKamal_runIsToldByFlagsAndVariables(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		args []string
		want KamalRun
	}{
		{nil, nil, KamalRun{HTTPPort: 80, HTTPSPort: 443}},
		{
			map[string]string{"HTTP_PORT": "8080", "HTTPS_PORT": "8443", "METRICS_PORT": "9090", "DEBUG": "1"},
			nil,
			KamalRun{Debug: true, HTTPPort: 8080, HTTPSPort: 8443, MetricsPort: 9090},
		},
		{map[string]string{"HTTP_PORT": "8080", "KAMAL_PROXY_HTTP_PORT": "8081"}, nil, KamalRun{HTTPPort: 8081, HTTPSPort: 443}},
		{map[string]string{"HTTP_PORT": "none", "DEBUG": "maybe"}, nil, KamalRun{HTTPPort: 80, HTTPSPort: 443}},
		{
			map[string]string{"HTTP_PORT": "8080"},
			[]string{"--http-port", "1", "--debug", "--metrics-port", "9090", "--http3"},
			KamalRun{Debug: true, HTTP3: true, HTTPPort: 1, HTTPSPort: 443, MetricsPort: 9090},
		},
	} {
		got, told := kamalRunning(t, "", test.env, append([]string{"run"}, test.args...)...)
		if got != (run{}) || told == nil || *told != test.want {
			t.Errorf("%v %v: got %+v and %+v, want %+v", test.env, test.args, got, told, test.want)
		}
	}
}

// Our own flags come on top; none of kamal-proxy's means something else.
func TestKamal_flagsThatBothHaveAreAlike(t *testing.T) {
	kamal := newSession(kamalOptions("", nil, nil)).kamalRoot()
	ours := newSession(Options{}.withDefaults()).root()
	for _, line := range []string{"deploy", "rollout deploy", "rollout set", "stop", "pause"} {
		a, _, _ := kamal.Find(strings.Fields(line))
		b, _, _ := ours.Find(strings.Fields(line))
		for _, found := range regexp.MustCompile(`--([a-z0-9-]+)`).FindAllStringSubmatch(a.Flags().FlagUsages(), -1) {
			if found[1] == "tls-acme-cache-path" {
				continue // proxyctl knows of no cache unless it is told
			}
			f, other := a.Flags().Lookup(found[1]), b.Flags().Lookup(found[1])
			if f != nil && other != nil && strings.Trim(other.DefValue, "[]") != strings.Trim(f.DefValue, "[]") {
				t.Errorf("%s --%s: defaults %q and %q", line, f.Name, f.DefValue, other.DefValue)
			}
		}
	}
}
