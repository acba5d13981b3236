package config

import (
	"bytes"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"upfront/api"
)

var update = flag.Bool("update", false, "write the golden files")

func TestParse_reportsEveryMistakeWithItsPlace(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yml")
	if err != nil || len(files) < 10 {
		t.Fatalf("got %d files and %v, want at least 10", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yml"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse("proxy.yml", text)
			var problems Errors
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want Errors", err)
			}
			got := problems.Report()
			golden := strings.TrimSuffix(name, ".yml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestParse_readsEveryKeyOfTheSample(t *testing.T) {
	text, err := os.ReadFile("testdata/sample.yml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse("sample.yml", text)
	if err != nil {
		t.Fatal(err)
	}
	want := &File{
		Listeners:      Listeners{HTTP: []Listener{{Address: ":80"}}},
		Control:        Control{Socket: "/run/upfront/control.sock", Group: "deploy"},
		State:          "/var/lib/upfront/state.json",
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.1.1/32")},
		Upgrades:       []string{"tcp"},
		Limits: Limits{
			Connections: 10_000, PerIP: 100,
			HeadBytes: 64 << 10, Fields: 100, HeadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
			ConnectTimeout: 2 * time.Second, BodyTimeout: 30 * time.Second, TunnelTimeout: time.Hour,
			BodyRate: 500, BodyGrace: 10 * time.Second,
		},
		Headers:      Headers{Underscores: "drop"},
		HTTP2:        HTTP2{Cleartext: true},
		Log:          Log{Level: "info", Access: "on", Format: "json"},
		DrainTimeout: 30 * time.Second,
		ErrorPages:   Folder{Path: "/etc/upfront/pages", Line: 56, Column: 14},
		Services: []Service{{
			Name: "web", Line: 59, Column: 3,
			Spec: api.Spec{
				Hosts: []string{"app.example.com"}, PathPrefixes: []string{"/"}, Policy: api.PolicyRoundRobin,
				HealthCheck: api.HealthCheck{
					Paths: []string{"/up"}, Interval: api.Duration(time.Second), Timeout: api.Duration(5 * time.Second),
					MaxAttempts: 3, HealthyThreshold: 1, Headers: map[string]string{}, Status: "200-299",
				},
				TargetTimeout: api.Duration(30 * time.Second), MaxRequestBody: 10 << 20, ErrorPages: "/srv/app/errors",
				BufferMemory: 1 << 20,
			},
			Targets:       []api.Target{{Address: "127.0.0.1:3000"}, {Address: "127.0.0.1:3001", Weight: 2}},
			DeployTimeout: api.Duration(30 * time.Second), DrainTimeout: api.Duration(30 * time.Second),
			ErrorPages: Folder{Path: "/srv/app/errors", Line: 95, Column: 18},
		}},
		NamesServices: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestParse_accepts(t *testing.T) {
	tests := []struct {
		name, text string
		want       File
	}{
		{"an empty file", "", File{}},
		{"comments alone", "# nothing yet\n", File{}},
		{"sections without a value", "services:\nlog:\nlisteners:\n", File{}},
		{"one address", "listeners: {http: 127.0.0.1:8080}", File{Listeners: Listeners{HTTP: []Listener{{Address: "127.0.0.1:8080"}}}}},
		{"seconds as Kamal writes them", "drain_timeout: 7", File{DrainTimeout: 7 * time.Second}},
		{"Windows line ends", "log:\r\n  level: warn\r\n", File{Log: Log{Level: "warn"}}},
		{"a shelf for anchors", "x-log: &l {level: debug}\nlog: {<<: *l, access: off}", File{Log: Log{Level: "debug", Access: "off"}}},
		{"a key that beats a merged one", "x-log: &l {level: debug}\nlog: {<<: *l, level: warn}", File{Log: Log{Level: "warn"}}},
		{"a path for the access log", "log: {access: /var/log/a.log}", File{Log: Log{Access: "/var/log/a.log"}}},
		{"bytes as a number", "limits: {head_bytes: 4096}", File{Limits: Limits{HeadBytes: 4096}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Parse("proxy.yml", []byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, test.want) {
				t.Errorf("got %+v, want %+v", *got, test.want)
			}
		})
	}
}

func TestParse_readsServices(t *testing.T) {
	tests := []struct {
		name, text string
		want       Service
	}{
		{"nothing said", "services: {web: }", Service{Spec: api.Spec{}}},
		{"prefix kept", "services: {web: {strip_path_prefix: false, path_prefixes: /api/}}", Service{Spec: api.Spec{KeepPathPrefix: true, PathPrefixes: []string{"/api"}}}},
		{"timeout off", "services: {web: {target_timeout: off}}", Service{Spec: api.Spec{TargetTimeout: -1}}},
		{"timeout zero", "services: {web: {target_timeout: 0s}}", Service{Spec: api.Spec{TargetTimeout: -1}}},
		{
			"buffering", "services: {web: {buffer_requests: true, buffer_responses: true, buffer_memory: 64KB, max_response_body: 2MB, replay_body: 512}}",
			Service{Spec: api.Spec{BufferRequests: true, BufferResponses: true, BufferMemory: 64 << 10, MaxResponseBody: 2 << 20, ReplayBody: 512}},
		},
		{"several health paths", "services: {web: {health_check: {path: [/up, /sidekiq/health], status: 200}}}", Service{Spec: api.Spec{HealthCheck: api.HealthCheck{Paths: []string{"/up", "/sidekiq/health"}, Status: "200"}}}},
		{"IPv6 target", `services: {web: {targets: "[::1]:3000"}}`, Service{Targets: []api.Target{{Address: "[::1]:3000"}}}},
		{"container name", `services: {web: {targets: [my_app-1:80]}}`, Service{Targets: []api.Target{{Address: "my_app-1:80"}}}},
		{"header as a number", `services: {web: {health_check: {headers: {X-Probe: 1}}}}`, Service{Spec: api.Spec{HealthCheck: api.HealthCheck{Headers: map[string]string{"X-Probe": "1"}}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file, err := Parse("proxy.yml", []byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if len(file.Services) != 1 {
				t.Fatalf("got %d services, want 1", len(file.Services))
			}
			got := file.Services[0]
			test.want.Name, test.want.Line, test.want.Column = got.Name, got.Line, got.Column
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestParse_saysWhatIsNoWholeNumber(t *testing.T) {
	for written, want := range map[string]string{
		"1.5":  "must be a whole number from 0 to 1000000, not 1.5",
		"-1":   "must be a whole number from 0 to 1000000, not -1",
		"many": `must be a whole number from 0 to 1000000, not "many"`,
		"[1]":  "must be a whole number, not a list",
	} {
		_, err := Parse("proxy.yml", []byte("services: {web: {max_in_flight: "+written+"}}\n"))
		var problem *Error
		if !errors.As(err, &problem) || !strings.HasSuffix(problem.Message, want) {
			t.Errorf("%s: got %v, want %q", written, err, want)
		}
	}
}

func TestParse_refusesALargeFile(t *testing.T) {
	if _, err := Parse("proxy.yml", bytes.Repeat([]byte{'\n'}, MaxBytes)); err != nil {
		t.Errorf("got %v for the largest file, want nil", err)
	}
	_, err := Parse("proxy.yml", bytes.Repeat([]byte{'\n'}, MaxBytes+1))
	var problem *Error
	if !errors.As(err, &problem) || !strings.Contains(problem.Message, "larger than 1024 KiB") {
		t.Errorf("got %v, want a sentence about the size", err)
	}
}

func TestParse_isQuickOnHostileFiles(t *testing.T) {
	hostile := map[string]string{
		"lists in a line":  strings.Repeat("- ", 40_000),
		"brackets":         strings.Repeat("[", 100_000),
		"braces":           strings.Repeat("{a: ", 40_000),
		"explicit keys":    strings.Repeat("? ", 40_000),
		"anchors":          "a: " + strings.Repeat("&a ", 40_000),
		"tags":             "a: " + strings.Repeat("!x ", 40_000),
		"duplicate keys":   strings.Repeat("state: /a\n", 20_000),
		"broken sections":  strings.Repeat("state: [\n", 5_000),
		"hosts × prefixes": "services: {a: {hosts: [" + strings.Repeat("a, ", 5000) + "b], path_prefixes: [" + strings.Repeat("/a, ", 5000) + "/b]}}",
	}
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			started := time.Now()
			if _, err := Parse("proxy.yml", []byte(text)); err == nil {
				t.Error("got no error")
			}
			if took := time.Since(started); took > 10*time.Second {
				t.Errorf("took %s: something is quadratic", took)
			}
		})
	}
}

func TestErrors_Error_namesTheFirstAndCountsTheRest(t *testing.T) {
	_, err := Parse("proxy.yml", []byte("stat: /a\nlimits: 3\n"))
	want := `proxy.yml:1:1: stat: unknown key (did you mean "state"?): choose listeners, tls, control, state, trusted_proxies, upgrades, limits, headers, http2, log, drain_timeout, error_pages, services, or remove it (and 1 more)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(files, "testdata/sample.yml") {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse("proxy.yml", text)
		if (file == nil) == (err == nil) {
			t.Fatalf("got %v and %v, want exactly one", file, err)
		}
		var problems Errors
		if err != nil && !errors.As(err, &problems) {
			t.Fatalf("got a %T, want Errors", err)
		}
		lines := bytes.Count(text, []byte{'\n'}) + 1
		for _, problem := range problems {
			if problem.Line < 1 || problem.Line > lines || problem.Column < 1 || problem.Message == "" {
				t.Fatalf("got a mistake at %d:%d of %d lines: %q", problem.Line, problem.Column, lines, problem.Message)
			}
		}
	})
}

func TestParse_bodyRateThatIsOff(t *testing.T) {
	for written, want := range map[string]int{"0": -1, "off": -1, "false": -1, "500": 500, "2KB": 2048, "1": 1} {
		file, err := Parse("proxy.yml", []byte("limits: {body_rate: "+written+"}\n"))
		if err != nil || file.Limits.BodyRate != want {
			t.Errorf("%s: got %+v, %v, want %d", written, file, err, want)
		}
	}
	for _, written := range []string{"-1", "fast", "2GB", "true", "[]", "1.5"} {
		if _, err := Parse("proxy.yml", []byte("limits: {body_rate: "+written+"}\n")); err == nil {
			t.Errorf("%s: got no error", written)
		}
	}
}
