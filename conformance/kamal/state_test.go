package kamal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func (p *proxy) stateFile() string {
	return filepath.Join(p.home, ".config", "kamal-proxy", "kamal-proxy.state")
}

// stateEntry is what kamal-proxy reads of a service when it starts.
type stateEntry struct {
	Name    string `json:"name"`
	Options struct {
		Hosts        []string `json:"hosts"`
		PathPrefixes []string `json:"path_prefixes"`
		TLSEnabled   bool     `json:"tls_enabled"`
		StripPrefix  bool     `json:"strip_prefix"`
	} `json:"options"`
	ActiveTargets  []string `json:"active_targets"`
	ActiveReaders  []string `json:"active_readers"`
	RolloutTargets []string `json:"rollout_targets"`
	Pause          struct {
		State   int    `json:"state"`
		Message string `json:"stop_message"`
	} `json:"pause_controller"`
	Rollout *struct {
		Percentage int      `json:"percentage"`
		Allowlist  []string `json:"allowlist"`
	} `json:"rollout_controller"`
}

func (p *proxy) state() (entries []stateEntry) {
	p.t.Helper()
	data, err := os.ReadFile(p.stateFile())
	if err == nil {
		err = json.Unmarshal(data, &entries)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return entries
}

// The file from which kamal-proxy starts is as new as the last command: the way back
// is open at any time.
func TestBehaviour_theStateFileSaysWhatIsDeployed(t *testing.T) {
	p := startProxy(t)
	a, b, c := startTarget(t, "a", nil), startTarget(t, "b", nil), startTarget(t, "c", nil)
	p.deploy("web", a.address, "--host", "a.test", "--read-target", b.address, "--path-prefix", "/app", "--strip-path-prefix=false")
	p.do("rollout", "deploy", "web", "--target", c.address)
	p.do("rollout", "set", "web", "--percent=20", "--list=x,y")
	p.do("stop", "web", "--message", "Back soon")
	all := p.state()
	if len(all) != 1 {
		t.Fatalf("got %+v, want one service", all)
	}
	e := all[0]
	if e.Name != "web" || e.Options.Hosts[0] != "a.test" || e.Options.PathPrefixes[0] != "/app" || e.Options.StripPrefix ||
		e.ActiveTargets[0] != a.address || e.ActiveReaders[0] != b.address || e.RolloutTargets[0] != c.address {
		t.Errorf("got %+v, want what was deployed", e)
	}
	if e.Pause.State != 2 || e.Pause.Message != "Back soon" || e.Rollout == nil || e.Rollout.Percentage != 20 || len(e.Rollout.Allowlist) != 2 {
		t.Errorf("got %+v, want the stop and the rollout", e)
	}
	p.do("remove", "web")
	if all := p.state(); len(all) != 0 {
		t.Errorf("got %+v, want nothing", all)
	}
}

// Switched back to kamal-proxy, deployed there, and come again.
func TestBehaviour_takesOverWhatKamalProxyDeployedMeanwhile(t *testing.T) {
	p := startProxy(t)
	app, next := startTarget(t, "app", nil), startTarget(t, "next", nil)
	p.deploy("web", app.address, "--host", "a.test")
	p.kill()
	theirs := strings.ReplaceAll(kamalEntry("web", next, `"hosts":["a.test"],"path_prefixes":["/"]`), `"tls_enabled":true`, `"tls_enabled":false`)
	writeFile(t, p.stateFile(), []byte("["+theirs+"]"))
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(p.stateFile(), later, later); err != nil {
		t.Fatal(err)
	}
	p.start()
	if got := p.want("a.test", "/", 200); got.body != "next" {
		t.Errorf("answered by %s, want what was deployed last", got.body)
	}
}

// Switched back to the real kamal-proxy, deployed there, and come again.
func TestBehaviour_theWayBackAndAgain(t *testing.T) {
	theirs := os.Getenv("KAMAL_PROXY_BACK")
	if theirs == "" {
		t.Skip("KAMAL_PROXY_BACK names no kamal-proxy to go back to")
	}
	p := startProxy(t)
	a, b, c, d := startTarget(t, "a", nil), startTarget(t, "b", nil), startTarget(t, "c", nil), startTarget(t, "d", nil)
	id := newIdentity(t, "s.test")
	certificate, key := id.write(t, p.home)
	pages := filepath.Join(p.home, "pages")
	writeFile(t, filepath.Join(pages, "503.html"), []byte("Ours: {{ .Message }}"))
	p.deploy("web", a.address, "--host", "a.test", "--path-prefix", "/app")
	p.do("rollout", "deploy", "web", "--target", b.address)
	p.do("rollout", "set", "web", "--list=me")
	p.deploy("shut", c.address, "--host", "c.test", "--error-pages", pages)
	p.do("stop", "shut", "--message", "Back soon")
	p.deploy("secure", d.address, "--host", "s.test", "--tls", "--tls-certificate-path", certificate, "--tls-private-key-path", key)
	p.deploy("gone", d.address, "--host", "g.test", "--error-pages", pages)
	p.do("remove", "gone")

	check := func(who string) {
		t.Helper()
		if got := p.want("a.test", "/app/x", 200); got.body != "a" {
			t.Errorf("%s: web answered by %q", who, got.body)
		}
		if got := ask(t.Context(), p.address, "GET", "a.test", "/app", nil, "Cookie: kamal-rollout=me"); got.body != "b" {
			t.Errorf("%s: the rollout was answered by %q, %v", who, got.body, got.err)
		}
		if got := p.want("c.test", "/", 503); !strings.Contains(got.body, "Ours: Back soon") {
			t.Errorf("%s: the stopped service answered %q", who, got.body)
		}
		p.want("s.test", "/", 301)
		p.wantSecure(id, "s.test")
		p.want("g.test", "/", 404)
	}
	check("ours")
	p.stop()
	p.program = theirs
	p.start()
	check("kamal-proxy")
	next := startTarget(t, "next", nil)
	p.do("resume", "shut")
	p.deploy("web", next.address, "--host", "a.test")
	p.stop()
	p.program = ""
	p.start()
	if got := p.want("a.test", "/", 200); got.body != "next" {
		t.Errorf("come again: answered by %q, want what was deployed meanwhile", got.body)
	}
	p.want("c.test", "/", 200)
}
