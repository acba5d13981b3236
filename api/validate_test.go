package api

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"web-1:3000", "web-1:3000"},
		{"web_1", "web_1:80"},
		{"10.0.0.1:080", "10.0.0.1:80"},
		{"[::1]:3000", "[::1]:3000"},
		{"[fe80::1%eth0]", "[fe80::1%eth0]:80"},
		{"app.internal.:65535", "app.internal.:65535"},
		{"", ""},
		{":3000", ""},
		{"::1", ""},
		{"[::1", ""},
		{"[::1]3000", ""},
		{"[::1]:", ""},
		{"[1.2.3.4]:80", ""},
		{"web:", ""},
		{"web:0", ""},
		{"web:65536", ""},
		{"web:+80", ""},
		{"web:http", ""},
		{"http://web:80", "web:80"},
		{"http://web", "web:80"},
		{"https://web", "https://web:443"},
		{"https://[::1]:8443", "https://[::1]:8443"},
		{"h2c://web", "h2c://web:80"},
		{"h2://web:0443", "h2://web:443"},
		{"unix:/run/web.sock", "unix:/run/web.sock"},
		{"unix:run/web.sock", ""},
		{"unix:/", ""},
		{"unix:/run/../web.sock", ""},
		{"unix:/run/web,2.sock", ""},
		{"unix:/run/web 2.sock", ""},
		{"unix:/" + strings.Repeat("x", maxSocketPath), ""},
		{"unix:///run/web.sock", ""},
		{"grpc://web:80", ""},
		{"HTTPS://web:80", ""},
		{"https://web/path", ""},
		{"https://", ""},
		{"web/path:80", ""},
		{"a b:80", ""},
		{"a..b:80", ""},
	} {
		got, err := ParseAddress(test.in)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("ParseAddress(%q): got %q, %v, want %q", test.in, got, err, test.want)
		}
		if err != nil {
			wantInvalid(t, test.in, err, "--target")
		}
	}
}

func TestSpec_Validate_targetTLS(t *testing.T) {
	for _, test := range []struct {
		name string
		tls  TargetTLS
		flag string // "" for no problem
	}{
		{"relative CA", TargetTLS{CA: "ca.pem"}, "--target-tls-ca"},
		{"client certificate without key", TargetTLS{Certificate: "/c.pem"}, "--target-tls-key"},
		{"client certificate", TargetTLS{Certificate: "/c.pem", Key: "/k.pem"}, ""},
		{"name", TargetTLS{Name: "a b"}, "--target-tls-name"},
		{"CA that is not used", TargetTLS{CA: "/ca.pem", InsecureSkipVerify: true}, "--target-tls-insecure-skip-verify"},
	} {
		err := Spec{TargetTLS: &test.tls}.Validate()
		if (err == nil) != (test.flag == "") {
			t.Errorf("%s: got %v, want the flag %q", test.name, err, test.flag)
		}
		if err != nil {
			wantInvalid(t, test.name, err, test.flag)
		}
	}
}

func TestSpec_Fits(t *testing.T) {
	whole := ""
	for _, test := range []struct {
		name    string
		check   HealthCheck
		address string
		flag    string // "" for no problem
	}{
		{"paths", HealthCheck{}, "web:80", ""},
		{"grpc over h2c", HealthCheck{GRPC: &whole}, "h2c://web", ""},
		{"grpc over h2", HealthCheck{GRPC: &whole}, "h2://web", ""},
		{"grpc over http", HealthCheck{GRPC: &whole}, "web:80", "--health-check-grpc"},
		{"grpc over https", HealthCheck{GRPC: &whole}, "https://web", "--health-check-grpc"},
		{"port of a unix socket", HealthCheck{Port: 9}, "unix:/run/web", "--health-check-port"},
		{"port of https", HealthCheck{Port: 9}, "https://web", ""},
	} {
		err := Spec{HealthCheck: test.check}.Fits(Target{Address: test.address})
		if (err == nil) != (test.flag == "") {
			t.Errorf("%s: got %v, want the flag %q", test.name, err, test.flag)
		}
		if err != nil {
			wantInvalid(t, test.name, err, test.flag)
		}
	}
}

func TestParseStatus(t *testing.T) {
	for _, test := range []struct {
		in        string
		low, high int
	}{
		{"200", 200, 200},
		{"200-399", 200, 399},
		{"100-599", 100, 599},
		{"", 0, 0},
		{"99", 0, 0},
		{"600", 0, 0},
		{"399-200", 0, 0},
		{"200-", 0, 0},
		{"-200", 0, 0},
		{"2xx", 0, 0},
		{"+20", 0, 0},
	} {
		low, high, err := ParseStatus(test.in)
		if low != test.low || high != test.high || (err == nil) != (test.low != 0) {
			t.Errorf("ParseStatus(%q): got %d, %d, %v, want %d, %d", test.in, low, high, err, test.low, test.high)
		}
	}
}

func TestValidateName(t *testing.T) {
	for _, good := range []string{"web", "a", "App_1.staging-2", strings.Repeat("a", MaxNameLength)} {
		if err := ValidateName(good); err != nil {
			t.Errorf("%q: got %v, want nil", good, err)
		}
	}
	for _, bad := range []string{"", "a b", "a/b", "é", "a\n", strings.Repeat("a", MaxNameLength+1)} {
		wantInvalid(t, bad, ValidateName(bad), "")
	}
}

func TestSpec_Validate(t *testing.T) {
	for _, test := range []struct {
		name string
		spec Spec
		flag string // of the error; "ok" for none
	}{
		{"zero", Spec{}, "ok"},
		{"hosts", Spec{Hosts: []string{"A.example.com.", "*.example.com", "localhost", "127.0.0.1", "[::1]"}}, "ok"},
		{"empty host", Spec{Hosts: []string{""}}, "--host"},
		{"host with port", Spec{Hosts: []string{"a.example.com:80"}}, "--host"},
		{"host with scheme", Spec{Hosts: []string{"http://a.example.com"}}, "--host"},
		{"bare IPv6", Spec{Hosts: []string{"::1"}}, "--host"},
		{"star", Spec{Hosts: []string{"*"}}, "--host"},
		{"inner star", Spec{Hosts: []string{"a.*.com"}}, "--host"},
		{"not ASCII", Spec{Hosts: []string{"ä.example.com"}}, "--host"},
		{"host twice", Spec{Hosts: []string{"a.com", "A.com."}}, "--host"},
		{"prefixes", Spec{PathPrefixes: []string{"/", "api", "/v1/x/"}}, "ok"},
		{"dot segment", Spec{PathPrefixes: []string{"/a/../b"}}, "--path-prefix"},
		{"doubled slash", Spec{PathPrefixes: []string{"/a//b"}}, "--path-prefix"},
		{"encoded slash", Spec{PathPrefixes: []string{"/a%2Fb"}}, "--path-prefix"},
		{"query", Spec{PathPrefixes: []string{"/a?b"}}, "--path-prefix"},
		{"prefix twice", Spec{PathPrefixes: []string{"/a", "a/"}}, "--path-prefix"},
		{"policy", Spec{Policy: "random"}, "--policy"},
		{"slow start", Spec{SlowStart: -1}, "--slow-start"},
		{"target timeout off", Spec{TargetTimeout: -1}, "ok"},
		{"body", Spec{MaxRequestBody: -1}, "--max-request-body"},
		{"in flight", Spec{MaxInFlight: -1}, "--max-in-flight"},
		{"buffer memory", Spec{BufferMemory: -1}, "--buffer-memory"},
		{"response body", Spec{MaxResponseBody: -1}, "--max-response-body"},
		{"replay", Spec{ReplayBody: -1}, "--replay-body"},
		{"check grpc", Spec{HealthCheck: HealthCheck{GRPC: new("a b")}}, "--health-check-grpc"},
		{"check path", Spec{HealthCheck: HealthCheck{Paths: []string{"up"}}}, "--health-check-path"},
		{"check path with space", Spec{HealthCheck: HealthCheck{Paths: []string{"/u p"}}}, "--health-check-path"},
		{"check query", Spec{HealthCheck: HealthCheck{Paths: []string{"/up?deep=1"}}}, "ok"},
		{"check port", Spec{HealthCheck: HealthCheck{Port: 65536}}, "--health-check-port"},
		{"check host", Spec{HealthCheck: HealthCheck{Host: "a\r\nb"}}, "--health-check-host"},
		{"check status", Spec{HealthCheck: HealthCheck{Status: "2xx"}}, "--health-check-status"},
		{"check header", Spec{HealthCheck: HealthCheck{Headers: map[string]string{"a b": "c"}}}, "--health-check-header"},
		{"check header value", Spec{HealthCheck: HealthCheck{Headers: map[string]string{"a": "b\nc"}}}, "--health-check-header"},
		{"interval", Spec{HealthCheck: HealthCheck{Interval: -1}}, "--health-check-interval"},
		{"timeout", Spec{HealthCheck: HealthCheck{Timeout: -1}}, "--health-check-timeout"},
		{"threshold", Spec{HealthCheck: HealthCheck{HealthyThreshold: -1}}, "--healthy-threshold"},
		{"attempts", Spec{HealthCheck: HealthCheck{MaxAttempts: 1001}}, "--max-attempts"},
	} {
		t.Run(test.name, func(t *testing.T) { wantJudged(t, test.spec.Validate(), test.flag) })
	}
}

// wantJudged wants an error that names flag, or none where that is "ok".
func wantJudged(t *testing.T, err error, flag string) {
	t.Helper()
	if flag != "ok" {
		wantInvalid(t, t.Name(), err, flag)
	} else if err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestValidateTargets(t *testing.T) {
	for _, test := range []struct {
		name    string
		targets []Target
		flag    string
	}{
		{"none", nil, "--target"},
		{"one", []Target{{Address: "a:1"}}, "ok"},
		{"twice", []Target{{Address: "a"}, {Address: "a:80"}}, "--target"},
		{"weight", []Target{{Address: "a:1", Weight: -1}}, "--weight"},
		{"bad", []Target{{Address: "a:1"}, {Address: "b:x"}}, "--target"},
	} {
		err := ValidateTargets(test.targets)
		if test.flag == "ok" {
			if err != nil {
				t.Errorf("%s: got %v, want nil", test.name, err)
			}
			continue
		}
		wantInvalid(t, test.name, err, test.flag)
	}
}

func TestRequests_Validate_timeouts(t *testing.T) {
	target := Target{Address: "a:1"}
	for flag, err := range map[string]error{
		"--deploy-timeout": DeployRequest{Targets: []Target{target}, DeployTimeout: -1}.Validate(),
		"--drain-timeout":  DeployRequest{Targets: []Target{target}, DrainTimeout: -1}.Validate(),
		"--max-pause":      PauseRequest{MaxPause: -1}.Validate(),
		"--message":        StopRequest{Message: strings.Repeat("a", MaxMessage+1)}.Validate(),
		"--target":         RemoveRequest{Target: "a:b"}.Validate(),
	} {
		wantInvalid(t, flag, err, flag)
	}
	for name, err := range map[string]error{
		"add": AddRequest{Target: target}.Validate(), "remove": RemoveRequest{}.Validate(),
		"drain": DrainRequest{}.Validate(), "rollback": RollbackRequest{}.Validate(),
	} {
		if err != nil {
			t.Errorf("%s: got %v, want nil", name, err)
		}
	}
}

func TestStopRequest_message(t *testing.T) {
	for name, message := range map[string]string{
		"none": "", "several lines": "Back soon.\n\n\tAt noon.", "lines of Windows": "a\r\nb\r\n", "any script": "Bientôt de retour 🚧 – 近日公開",
		"markup": `<b>"&'</b>`, "as long as may be": strings.Repeat("a", MaxMessage),
	} {
		if err := (StopRequest{Message: message}).Validate(); err != nil {
			t.Errorf("%s: got %v, want nil", name, err)
		}
	}
	for name, message := range map[string]string{
		"too long": strings.Repeat("é", MaxMessage/2) + "a", "NUL": "a\x00b", "escape": "\x1b[31mred", "a lone return": "a\rb",
		"delete": "a\x7f", "another control character": "a\u0085b", "not UTF-8": "caf\xe9", "cut UTF-8": "\xe2\x82",
	} {
		wantInvalid(t, name, (StopRequest{Message: message}).Validate(), "--message")
	}
	if got := (StopRequest{Message: "a\r\nb\n"}).WithDefaults().Message; got != "a\nb\n" {
		t.Errorf("got %q, want lines that end in one character", got)
	}
}

func TestSpec_Validate_errorPages(t *testing.T) {
	if err := (Spec{ErrorPages: "/srv/pages"}).Validate(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	for _, folder := range []string{"pages", "./pages", "~/pages", "/a\x00b"} {
		wantInvalid(t, folder, Spec{ErrorPages: folder}.Validate(), "--error-pages")
	}
}

func TestDeployRequest_WithDefaults(t *testing.T) {
	in := DeployRequest{
		Spec:    Spec{Hosts: []string{"A.Example.com."}, PathPrefixes: []string{"api/"}, TargetTimeout: -1},
		Targets: []Target{{Address: "web"}},
	}
	got := in.WithDefaults()
	want := DeployRequest{
		Spec: Spec{
			Hosts: []string{"a.example.com"}, PathPrefixes: []string{"/api"}, TargetTimeout: -1,
			Policy: PolicyRoundRobin, BufferMemory: 1 << 20, WriterAffinityTimeout: Duration(1e9),
			HealthCheck: HealthCheck{
				Paths: []string{"/up"}, Interval: Duration(1e9), Timeout: Duration(5e9),
				HealthyThreshold: 1, MaxAttempts: 3, Status: "200-299",
			},
		},
		Targets:       []Target{{Address: "web:80", Weight: 1}},
		DeployTimeout: Duration(30e9), DrainTimeout: Duration(30e9),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if again := got.WithDefaults(); !reflect.DeepEqual(again, got) {
		t.Errorf("twice: got %+v, want %+v", again, got)
	}
	if in.Spec.Hosts[0] != "A.Example.com." || in.Targets[0].Address != "web" {
		t.Error("the request itself was changed")
	}
}

func wantInvalid(t *testing.T, what string, err error, flag string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeInvalid || e.Flag != flag || e.Message == "" {
		t.Errorf("%s: got %#v, want an invalid error that names %q", what, err, flag)
	}
}
