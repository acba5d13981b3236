package cli

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"upfront/api"
)

func TestCommands_sendWhatWasTyped(t *testing.T) {
	tests := []struct {
		line, want, said string
	}{
		{"add web web-2:3000", `add {"target":{"address":"web-2:3000","weight":1},"deploy_timeout":"30s"}`, "web: 0 targets healthy after 0s, switched in 0s"},
		{"remove web", `remove {"drain_timeout":"30s"}`, "web: removed"},
		{"rm web web-2:3000 --drain-timeout 5s", `remove {"target":"web-2:3000","drain_timeout":"5s"}`, "web: removed"},
		{"drain web web-2:3000", `drain {"target":"web-2:3000","drain_timeout":"30s"}`, "web: nothing to drain"},
		{"pause web --max-pause 10s", `pause {"drain_timeout":"30s","max_pause":"10s"}`, "web: paused"},
		{"stop web --message Back.", `stop {"drain_timeout":"30s","message":"Back."}`, "web: stopped"},
		{"rollback web", `rollback {"deploy_timeout":"30s","drain_timeout":"30s"}`, "web: 0 targets healthy after 0s, switched in 0s"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			d := startDaemon(t, streams(api.Event{Result: &api.Result{}}))
			got := proxyctl(t, d.socket, strings.Fields(tt.line))
			if got != (run{}) {
				t.Errorf("got %+v, want silence and status 0", got)
			}
			if asked := d.requests(); asked[0] != strings.Replace("POST /v1/services/web/"+tt.want, "  ", " ", 1) {
				t.Errorf("got %q, want %q", asked[0], tt.want)
			}
			if got := proxyctl(t, d.socket, strings.Fields(tt.line), onTerminal); got.stdout != tt.said+"\n" {
				t.Errorf("terminal: got %q, want %q", got.stdout, tt.said)
			}
		})
	}
}

func TestCommands_emptyTargetIsNotTheWholeService(t *testing.T) {
	for _, command := range []string{"remove", "drain"} {
		d := startDaemon(t, streams(api.Event{Result: &api.Result{}}))
		got := proxyctl(t, d.socket, []string{command, "web", ""})
		want := run{status: 1, stderr: "Error: target is empty: name one, such as web-1:3000, or leave it away for the whole service\n"}
		if got != want {
			t.Errorf("%s: got  %+v\nwant %+v", command, got, want)
		}
		if asked := d.requests(); len(asked) != 0 {
			t.Errorf("%s: proxyd was asked %q", command, asked)
		}
	}
}

func TestCommands_nameNoFlagThatTheyLack(t *testing.T) {
	d := startDaemon(t, streams(api.Event{Error: &api.Error{Code: api.CodeInvalid, Message: "no such target", Flag: "--target"}}))
	for line, want := range map[string]string{
		"remove web a:1":          "Error: no such target\n",
		"deploy web --target a:1": "Error: no such target (see --target)\n",
	} {
		if got := proxyctl(t, d.socket, strings.Fields(line)); got != (run{status: 1, stderr: want}) {
			t.Errorf("%s: got %+v, want %q", line, got, want)
		}
	}
}

func TestPause_saysWhatIsLeft(t *testing.T) {
	d := startDaemon(t, streams(api.Event{Result: &api.Result{Drained: []api.Drained{
		{Target: "a:1", Waited: api.Duration(30 * time.Second), Left: 2}, {Target: "b:1", Waited: api.Duration(time.Second)},
	}}}))
	want := run{stderr: "Warning: 2 requests still in flight on a:1 at the drain timeout: wait, or set a longer --drain-timeout\n"}
	if got := proxyctl(t, d.socket, []string{"pause", "web"}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := proxyctl(t, d.socket, []string{"pause", "web"}, onTerminal); got.stdout != "web: paused, drained b:1 in 1s, 0 cut\n" {
		t.Errorf("terminal: got %q", got.stdout)
	}
}

func TestDrain_saysWhatWasCut(t *testing.T) {
	d := startDaemon(t, streams(api.Event{Result: &api.Result{Drained: []api.Drained{
		{Target: "a:1", Waited: api.Duration(30 * time.Second), Cut: 2}, {Target: "b:1", Waited: api.Duration(70 * time.Microsecond)},
	}}}))
	got := proxyctl(t, d.socket, []string{"drain", "web"}, onTerminal)
	if want := "web: drained a:1 in 30s, 2 cut, drained b:1 in 70µs, 0 cut\n"; got.stdout != want {
		t.Errorf("got %q, want %q", got.stdout, want)
	}
}

func TestResumeAndReload(t *testing.T) {
	d := startDaemon(t, gives(struct{}{}))
	for _, line := range [][]string{{"resume", "web"}, {"reload"}} {
		if got := proxyctl(t, d.socket, line); got != (run{}) {
			t.Errorf("%s: got %+v, want silence and status 0", line, got)
		}
	}
	if got := proxyctl(t, d.socket, []string{"resume", "web"}, onTerminal); got.stdout != "web: resumed\n" {
		t.Errorf("got %q", got.stdout)
	}
	want := []string{"POST /v1/services/web/resume {}", "POST /v1/reload {}"}
	if asked := d.requests(); asked[0] != want[0] || asked[1] != want[1] {
		t.Errorf("got %q, want %q", asked, want)
	}
}

func TestCommands_sayThatNoDaemonIsThere(t *testing.T) {
	for _, line := range []string{"list", "status", "reload", "deploy web --target a:1", "resume web"} {
		got := proxyctl(t, "/nowhere/control.sock", strings.Fields(line))
		want := "Error: cannot reach proxyd at /nowhere/control.sock: is it running? set --socket or UPFRONT_SOCKET\n"
		if got != (run{status: 1, stderr: want}) {
			t.Errorf("%s: got %+v, want %q", line, got, want)
		}
	}
}

func TestUnknownCommand(t *testing.T) {
	got := proxyctl(t, "", []string{"depoly"})
	if got.status != 1 || !strings.HasPrefix(got.stderr, `Error: unknown command "depoly" for "proxyctl"`) || !strings.HasSuffix(got.stderr, "Run 'proxyctl --help' for usage.\n") {
		t.Errorf("got %+v", got)
	}
}

func TestVersion(t *testing.T) {
	d := startDaemon(t, gives(api.VersionAnswer{Version: "v1.1.0"}))
	if got := proxyctl(t, d.socket, []string{"version"}); got.stdout != "proxyctl  v1.0.0\nproxyd    v1.1.0\n" || got.status != 0 {
		t.Errorf("got %+v", got)
	}
	got := proxyctl(t, "/nowhere", []string{"version"})
	if got.status != 0 || !strings.Contains(got.stdout, "proxyd    cannot reach proxyd at /nowhere") {
		t.Errorf("without a daemon: got %+v, want both lines", got)
	}
	got = proxyctl(t, d.socket, []string{"version", "--json"})
	if want := "{\n  \"client\": \"v1.0.0\",\n  \"daemon\": \"v1.1.0\"\n}\n"; got.stdout != want {
		t.Errorf("got %q, want %q", got.stdout, want)
	}
}

func TestCheck_asksTheProgramWithoutADaemon(t *testing.T) {
	script := filepath.Join(t.TempDir(), "proxyd")
	text := "#!/bin/sh\necho \"$1 $2\"\necho wrong >&2\nexit 3\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	got := proxyctl(t, "/nowhere", []string{"check", "proxy.yml"}, func(s *session) {
		s.Daemon = func() (string, bool) { return script, true }
	})
	if want := (run{status: 3, stdout: "check proxy.yml\n", stderr: "wrong\n"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCheck_asksTheDaemonWithoutAProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "proxy.yml")
	if err := os.WriteFile(file, []byte("hots: a\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, refuses(http.StatusBadRequest, api.Error{Code: api.CodeInvalid, Message: "proxy.yml:1:1: unknown key \"hots\""}))
	got := proxyctl(t, d.socket, []string{"check", file})
	if want := (run{status: 1, stderr: "Error: proxy.yml:1:1: unknown key \"hots\"\n"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if asked := d.requests(); len(asked) != 1 || !strings.Contains(asked[0], `"text":"hots: a\n"`) {
		t.Errorf("got %q, want the text of the file", asked)
	}
	if got := proxyctl(t, d.socket, []string{"check", "/nowhere/proxy.yml"}); got.status != 1 || !strings.HasPrefix(got.stderr, "Error: read config file: open /nowhere/proxy.yml:") {
		t.Errorf("missing file: got %+v", got)
	}
}

func TestFindDaemon_looksOnThePath(t *testing.T) {
	folder := t.TempDir()
	program := filepath.Join(folder, "proxyd")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder)
	if got, ok := findDaemon(); !ok || got != program {
		t.Errorf("got %q %v, want %q", got, ok, program)
	}
	t.Setenv("PATH", t.TempDir())
	if got, ok := findDaemon(); ok {
		t.Errorf("got %q, want none", got)
	}
}

func TestCompletion_offersServicesAndTargets(t *testing.T) {
	web := api.ServiceInfo{Name: "web", Targets: []api.TargetInfo{{Address: "web-1:3000"}}}
	d := startDaemon(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == api.PathServices {
			gives(api.ServicesAnswer{Services: []api.ServiceInfo{web, {Name: "api"}}})(w, r)
			return
		}
		gives(web)(w, r)
	})
	tests := []struct {
		line, want string
	}{
		{"__complete deploy |", "web\napi\n:4\n"},
		{"__complete remove web |", "web-1:3000\n:4\n"},
		{"__complete pause web |", ":4\n"},
		{"__complete deploy --policy |", "round_robin\nleast_connections\ntwo_choices\n:4\n"},
	}
	for _, tt := range tests {
		args := strings.Fields(tt.line)
		args[len(args)-1] = ""
		// The flag must come after __complete, as a shell has it.
		args = append([]string{args[0], "--socket", d.socket}, args[1:]...)
		if got := proxyctl(t, "", args); got.stdout != tt.want {
			t.Errorf("%s: got %q, want %q", tt.line, got.stdout, tt.want)
		}
	}
}

func TestNewScreen_aFileIsNoTerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	env := func(string) string { return "" }
	if s := newScreen(file, env); s.terminal || s.colour {
		t.Errorf("file: got %+v", s)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if s := newScreen(null, env); s.terminal {
		t.Errorf("%s on %s: got %+v", os.DevNull, runtime.GOOS, s)
	}
}
