package daemon

import (
	"fmt"
	"io"
	"reflect"
	"testing"
	"time"

	"upfront/config"
	"upfront/proxy"
)

func TestParseFlags_flagWinsOverVariable(t *testing.T) {
	env := map[string]string{
		"UPFRONT_HTTP": ":81, :82", "UPFRONT_STATE": "/env.json", "UPFRONT_ACCESS_LOG": "off",
		"UPFRONT_DRAIN_TIMEOUT": "5s", "UPFRONT_SOCKET": "/env.sock", "UPFRONT_LOG_LEVEL": "warn", "UPFRONT_CONFIG": "/env.yml",
	}
	parse := func(args ...string) options {
		t.Helper()
		o, err := parseFlags(system{args: args, stderr: io.Discard, getenv: func(name string) string { return env[name] }})
		must(t, err)
		o.rest = nil
		return o
	}
	want := options{
		config: "/env.yml", http: []string{":81", ":82"}, socket: "/env.sock", state: "/env.json",
		accessLog: "off", logLevel: "warn", drainTimeout: 5 * time.Second,
	}
	if got := parse(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	want.http, want.state, want.drainTimeout = []string{":1", ":2", ":3"}, "/flag.json", time.Second
	if got := parse("-http", ":1,:2", "--http=:3", "--state", "/flag.json", "--drain-timeout", "1s"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestResolve_givenWinsOverFileOverDefault(t *testing.T) {
	file := &config.File{
		Listeners: config.Listeners{HTTP: []config.Listener{{Address: ":81"}}}, State: "/file.json", DrainTimeout: time.Minute,
		Control: config.Control{Socket: "/file.sock", Group: "deploy"}, Log: config.Log{Level: "debug", Access: "on"},
	}
	got := resolve(options{http: []string{":82"}, drainTimeout: time.Second}, file)
	if got.http[0].Address != ":82" || got.drainTimeout != time.Second {
		t.Errorf("got %v and %v, want what was given", got.http, got.drainTimeout)
	}
	if got.state != "/file.json" || got.socket != "/file.sock" || got.group != "deploy" || got.logLevel != "debug" || got.accessLog != "-" {
		t.Errorf("got %+v, want what the file says", got)
	}
	got = resolve(options{}, nil)
	if got.http[0].Address != ":80" || got.drainTimeout != 30*time.Second || got.logLevel != "info" || got.accessLog != "-" {
		t.Errorf("got %+v, want the defaults", got)
	}
}

func TestSettings_needRestart_namesWhatDiffers(t *testing.T) {
	a := settings{http: at([]string{":80"}), socket: "/s", group: "g", state: "/t", accessLog: "-"}
	if got := a.needRestart(a); got != nil {
		t.Errorf("got %v, want nothing", got)
	}
	b := settings{http: at([]string{":81"}), socket: "/x", group: "x", state: "/x", accessLog: "off"}
	want := []string{"listeners.http", "control.socket", "control.group", "state", "log.access"}
	if got := a.needRestart(b); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestResolve_passesTheLimitsOn(t *testing.T) {
	file := &config.File{Headers: config.Headers{Underscores: "keep"}, Limits: config.Limits{
		Connections: 1, PerIP: 2, HeadBytes: 3, Fields: 4, HeadTimeout: 5, IdleTimeout: 6, ConnectTimeout: 7,
		BodyTimeout: 8, BodyRate: 9, BodyGrace: 10, TunnelTimeout: 11,
	}}
	want := proxy.Settings{
		MaxConnections: 1, MaxPerAddress: 2, MaxHeadBytes: 3, MaxFields: 4, HeadTimeout: 5, IdleTimeout: 6, ConnectTimeout: 7,
		BodyTimeout: 8, BodyRate: 9, BodyGrace: 10, TunnelTimeout: 11, KeepUnderscores: true,
	}
	if got, want := fmt.Sprintf("%+v", resolve(options{}, file).proxy), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	file.Headers.Underscores = "drop"
	if resolve(options{}, file).proxy.KeepUnderscores {
		t.Error("names with underscores are kept, want them dropped")
	}
}
