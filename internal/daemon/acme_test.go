package daemon

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"upfront/api"
	"upfront/cert/acme"
	"upfront/config"
	"upfront/service"
)

func TestWanted_isWhatServicesAsk(t *testing.T) {
	got := wanted([]api.ServiceInfo{
		{Name: "plain", Spec: api.Spec{Hosts: []string{"p.test"}}},
		{Name: "files", Spec: api.Spec{TLS: &api.TLS{}}},
		{Name: "web", Spec: api.Spec{Hosts: []string{"a.test", "file.test"}, TLS: &api.TLS{
			Automatic: &api.AutomaticTLS{Directory: "https://ca.test/", CachePath: "/c", OnDemand: "/ask"},
		}}},
	}, func(host string) bool { return host == "file.test" })
	want := []acme.Wanted{{Service: "web", Hosts: []string{"a.test"}, Directory: "https://ca.test/", Cache: "/c", Ask: "/ask"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAcmeOptions_readsSecretsAndNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "mac"), "secret\n")
	now := settings{state: "/var/lib/upfront/state.json", acme: config.ACME{
		Authority: config.Authority{Email: "a@b.test", EAB: config.ExternalAccount{KeyID: "k", MACKey: "file:" + filepath.Join(dir, "mac")}},
		Fallback:  &config.Authority{Directory: "https://other.test/"},
		DNS:       config.DNS{Provider: "cloudflare", Options: map[string]string{"api_token": "t"}},
	}}
	o, err := acmeOptions(now)
	must(t, err)
	if o.Authority.MACKey != "secret" || o.Fallback.Email != "a@b.test" || o.DNS.Provider == nil {
		t.Errorf("got %+v", o)
	}
	for _, c := range []struct {
		change func(*config.ACME)
		want   string
	}{
		{func(a *config.ACME) { a.EAB.MACKey = "file:/nowhere" }, "tls: eab: open /nowhere"},
		{func(a *config.ACME) { a.DNS.Provider = "other" }, `tls.dns: provider "other" is not built in: choose cloudflare, rfc2136`},
		{func(a *config.ACME) { a.DNS.Options = map[string]string{"token": "t"} }, "tls.dns: options of cloudflare"},
		{func(a *config.ACME) { a.DirectoryCA = "/dev/null" }, "directory_ca: /dev/null has no certificate"},
	} {
		broken := now
		c.change(&broken.acme)
		if _, err := acmeOptions(broken); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// A deploy returns although no certificate can be had, and status says why.
func TestCertificates_deployDoesNotWaitAndStatusSaysWhy(t *testing.T) {
	p := newProgram(t)
	writeFile(t, p.file(), "tls: {directory: \"https://127.0.0.1:1/dir\"}\n")
	p.start("--config", p.file(), "--https", "127.0.0.1:0")
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ask" && r.URL.Query().Get("host") != "yes.test" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer app.Close()
	_, err := p.client.Deploy(t.Context(), "web", api.DeployRequest{
		Spec:    api.Spec{Hosts: []string{"a.test"}, TLS: &api.TLS{Automatic: &api.AutomaticTLS{OnDemand: "/ask"}}},
		Targets: []api.Target{{Address: strings.TrimPrefix(app.URL, "http://")}},
	}, nil)
	must(t, err)
	p.until("status says why", func() bool {
		all := p.status().Automatic
		return len(all) == 1 && all[0].Host == "a.test" && strings.Contains(all[0].Problem, "127.0.0.1:1") && !all[0].NextAttempt.IsZero()
	})
	if got := p.status().Counters["upfront_acme_certificates_missing"]; got != 1 {
		t.Errorf("missing: got %d, want 1", got)
	}
	_, err = p.client.Remove(t.Context(), "web", api.RemoveRequest{}, nil)
	must(t, err)
	if got := p.status().Automatic; len(got) != 0 {
		t.Errorf("after the service was removed: got %+v", got)
	}
}

// A target is asked in what it speaks, whatever that is.
func TestAskTargets_asksAHealthyTarget(t *testing.T) {
	for _, c := range []struct {
		name  string
		start func(*testing.T, *httptest.Server) (target string, spec api.Spec)
	}{
		{"http", func(_ *testing.T, s *httptest.Server) (string, api.Spec) {
			s.Start()
			return s.Listener.Addr().String(), api.Spec{}
		}},
		{"h2c", func(_ *testing.T, s *httptest.Server) (string, api.Spec) {
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetUnencryptedHTTP2(true)
			s.Start()
			return "h2c://" + s.Listener.Addr().String(), api.Spec{}
		}},
		{"unix", func(t *testing.T, s *httptest.Server) (string, api.Spec) {
			dir, err := os.MkdirTemp("", "ask")
			must(t, err)
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			_ = s.Listener.Close()
			s.Listener, err = net.Listen("unix", filepath.Join(dir, "s"))
			must(t, err)
			s.Start()
			return "unix:" + filepath.Join(dir, "s"), api.Spec{}
		}},
		{"https", func(t *testing.T, s *httptest.Server) (string, api.Spec) {
			s.StartTLS()
			ca := filepath.Join(t.TempDir(), "ca.pem")
			writeFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
			return "https://" + s.Listener.Addr().String(), api.Spec{TargetTLS: &api.TargetTLS{CA: ca}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/ask" && (r.URL.Query().Get("host") != "yes.test" || r.Host != "yes.test") {
					w.WriteHeader(http.StatusForbidden)
				}
			}))
			defer app.Close()
			target, spec := c.start(t, app)
			registry, info := deployed(t, api.DeployRequest{Spec: spec, Targets: []api.Target{{Address: target}}})
			if err := askTargets(t.Context(), registry, info, "/ask", "yes.test"); err != nil {
				t.Error(err)
			}
			if err := askTargets(t.Context(), registry, info, "/ask", "no.test"); err == nil || !strings.Contains(err.Error(), "403") {
				t.Errorf("got %v, want a refusal", err)
			}
			info.Gate = "stopped"
			if err := askTargets(t.Context(), registry, info, "/ask", "yes.test"); err == nil {
				t.Error("a stopped service said yes")
			}
		})
	}
}

// deployed is a registry that runs with one service, which has gone healthy.
func deployed(t *testing.T, req api.DeployRequest) (*service.Registry, api.ServiceInfo) {
	t.Helper()
	registry, err := service.New(service.Options{})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- registry.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	_, err = registry.Deploy(t.Context(), "web", req, nil)
	must(t, err)
	info, _ := registry.Service("web")
	return registry, info
}
