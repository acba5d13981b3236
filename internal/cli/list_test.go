package cli

import (
	"strings"
	"testing"
	"time"

	"upfront/api"
)

// busy is a daemon with something of everything.
func busy() api.Status {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	return api.Status{
		Version: "v1.1.0", PID: 4242, StartedAt: ago(26 * time.Hour), Listeners: []string{"http://:80", "https://:443"},
		Config: &api.ConfigStatus{
			Path: "/etc/upfront/proxy.yml", LoadedAt: ago(3 * time.Minute),
			Problem: "line 3, column 5: unknown key \"hots\"\n   3 | hots: a.test",
		},
		State: api.StateStatus{Path: "/var/lib/upfront/state.json", Source: "backup", Problem: "cut after 17 bytes; read its backup"},
		Services: []api.ServiceInfo{
			{
				Name: "api", Gate: "stopped", Message: "Back at noon", Owner: "file", Problem: "web-9:80 never became healthy",
				Spec: api.Spec{Hosts: []string{"app.test", "*.app.test"}, PathPrefixes: []string{"/api"}},
			},
			{
				Name: "web", Gate: "running", Owner: "socket",
				Previous: []api.Target{{Address: "web-0:3000"}},
				Targets: []api.TargetInfo{
					{Address: "web-1:3000", Weight: 1, Health: "healthy", InFlight: 12, Full: true, LastProbe: "GET /up: 200", LastProbeAt: ago(400 * time.Millisecond), Since: ago(2 * time.Hour)},
					{Address: "web-2:3000", Weight: 3, Health: "unhealthy", Draining: true, LastProbe: "GET /up: 503, checks: database=false", LastProbeAt: ago(2 * time.Second), Since: ago(70 * time.Second), Checks: map[string]string{"database": "false"}},
					{Address: "web-long-name:3000", Weight: 1, Health: "starting"},
				},
			},
		},
	}
}

func TestList(t *testing.T) {
	d := startDaemon(t, gives(busy()))
	got := proxyctl(t, d.socket, []string{"list"})
	golden(t, "list.txt", got.stdout)
	golden(t, "list.stderr.txt", got.stderr)
	if again := proxyctl(t, d.socket, []string{"ls"}); again != got {
		t.Errorf("ls: got %+v, want what list says", again)
	}
	for line := range strings.Lines(got.stdout) {
		if strings.TrimRight(line, " \n")+"\n" != line {
			t.Errorf("line %q ends in spaces", line)
		}
	}
}

func TestList_colour(t *testing.T) {
	d := startDaemon(t, gives(busy()))
	got := proxyctl(t, d.socket, []string{"list"}, onTerminal, func(s *session) { s.out.colour, s.err.colour = true, true })
	golden(t, "list.colour.txt", got.stdout)
	if !strings.HasPrefix(got.stderr, "\x1b[33mWarning:\x1b[0m config file") {
		t.Errorf("got %q, want a coloured warning", got.stderr)
	}
}

func TestList_empty(t *testing.T) {
	d := startDaemon(t, gives(api.Status{}))
	if got := proxyctl(t, d.socket, []string{"list"}); got.stdout != "SERVICE  HOST  PATH  TARGET  HEALTH  IN-FLIGHT  STATE  TLS\n" || got.stderr != "" {
		t.Errorf("got %+v, want the heading", got)
	}
	if got := proxyctl(t, d.socket, []string{"list", "--json"}); got.stdout != "[]\n" {
		t.Errorf("json: got %q, want an empty list", got.stdout)
	}
}

func TestStatus(t *testing.T) {
	d := startDaemon(t, gives(busy()))
	got := proxyctl(t, d.socket, []string{"status"})
	golden(t, "status.txt", got.stdout)
	if got.stderr != "" || got.status != 0 {
		t.Errorf("got %+v, want all of it on stdout", got)
	}
	if got := proxyctl(t, d.socket, []string{"status", "--json"}); !strings.Contains(got.stdout, `"pid": 4242`) {
		t.Errorf("json: got %q", got.stdout)
	}
}

func TestStatus_ofOneService(t *testing.T) {
	d := startDaemon(t, gives(busy().Services[1]))
	got := proxyctl(t, d.socket, []string{"status", "web"})
	golden(t, "status.web.txt", got.stdout)
	if asked := d.requests(); asked[0] != "GET /v1/services/web" {
		t.Errorf("got %q", asked)
	}
}

func TestStatus_showsTheSpecAsJSON(t *testing.T) {
	service := busy().Services[1]
	service.Spec.BufferRequests, service.Spec.BufferMemory = true, 4096
	d := startDaemon(t, gives(service))
	got := proxyctl(t, d.socket, []string{"status", "web", "--json"})
	for _, want := range []string{`"buffer_requests": true`, `"buffer_memory": 4096`} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("got %q, want %s in it", got.stdout, want)
		}
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "now", 999 * time.Millisecond: "now", 59 * time.Second: "59s ago", time.Minute: "1m ago",
		90 * time.Minute: "1h ago", 47 * time.Hour: "47h ago", 72 * time.Hour: "3d ago",
	} {
		if got := age(noon, noon.Add(-d)); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
	if got := age(noon, time.Time{}); got != "" {
		t.Errorf("zero time: got %q, want nothing", got)
	}
}

func TestShorten(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		want  string
	}{{"short", 5, "short"}, {"longer", 5, "long…"}, {"ümläüts", 4, "üml…"}, {"any", 0, "any"}} {
		if got := shorten(tt.text, tt.width); got != tt.want {
			t.Errorf("%q in %d: got %q, want %q", tt.text, tt.width, got, tt.want)
		}
	}
}
