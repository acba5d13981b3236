package service

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"upfront/api"
	"upfront/cert"
)

// certificateFor writes a certificate for names, and its key, below dir.
func certificateFor(t *testing.T, dir string, names ...string) api.CertificateFiles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := api.CertificateFiles{Certificate: filepath.Join(dir, names[0]+".pem"), Key: filepath.Join(dir, names[0]+".key")}
	for path, block := range map[string]*pem.Block{
		files.Certificate: {Type: "CERTIFICATE", Bytes: der}, files.Key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func sealed(host string, files ...api.CertificateFiles) api.Spec {
	spec := quick(host)
	spec.TLS = &api.TLS{Certificates: files}
	return spec
}

func servesTLS(store *cert.Store, host string) bool {
	c, err := store.GetCertificate(&tls.ClientHelloInfo{ServerName: host})
	return c != nil && err == nil
}

func TestRegistry_TLS_livesWithItsService(t *testing.T) {
	store := cert.New(cert.Options{})
	dir := t.TempDir()
	path := filepath.Join(t.TempDir(), "state.json")
	r, stop := startRegistry(t, Options{StatePath: path, Certificates: store})
	a := startApp(t, 200)
	files := certificateFor(t, dir, "a.test")
	spec := sealed("a.test", files)
	spec.TLS.HSTS = &api.HSTS{IncludeSubdomains: true}
	mustDeploy(t, r, "web", spec, a)
	svc, _, _ := r.Match([]byte("a.test"), []byte("/"))
	if !servesTLS(store, "a.test") || svc.TLS == nil || !svc.TLS.Redirect || svc.TLS.HSTS != "max-age=31536000; includeSubDomains" {
		t.Errorf("got %+v", svc.TLS)
	}
	info, _ := r.Service("web")
	if len(info.Certificates) != 1 || info.Certificates[0].NotAfter.IsZero() || info.Problem != "" {
		t.Errorf("got %+v, problem %q", info.Certificates, info.Problem)
	}
	stop()

	// A restart has it again, and one whose files are gone is there without.
	store = cert.New(cert.Options{})
	r, stop = startRegistry(t, Options{StatePath: path, Certificates: store})
	if !servesTLS(store, "a.test") {
		t.Error("no certificate behind a restart")
	}
	if _, err := r.Remove(t.Context(), "web", api.RemoveRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	if servesTLS(store, "a.test") {
		t.Error("the certificate stays behind its service")
	}
	mustDeploy(t, r, "web", spec, a)
	stop()
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	store = cert.New(cert.Options{})
	r, _ = startRegistry(t, Options{StatePath: path, Certificates: store})
	if match(r, "a.test") != "web" || servesTLS(store, "a.test") {
		t.Error("want the service, without its certificate")
	}
	if info, _ := r.Service("web"); !strings.Contains(info.Problem, "read private key") {
		t.Errorf("got problem %q", info.Problem)
	}
}

func TestRegistry_Deploy_refusesCertificatesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	one, two := certificateFor(t, dir, "a.test"), certificateFor(t, dir, "b.test")
	a := startApp(t, 200)
	for _, c := range []struct {
		name string
		spec func(*api.Spec)
		flag string
	}{
		{"of two pairs", func(s *api.Spec) { s.TLS.Certificates[0].Key = two.Key }, "--tls-certificate-path"},
		{"a file that is missing", func(s *api.Spec) { s.TLS.Certificates[0].Certificate += "x" }, "--tls-certificate-path"},
		{"no CA", func(s *api.Spec) { s.TLS.ClientCA = one.Key }, "--tls-client-ca"},
		{"none for the host", func(s *api.Spec) { s.TLS.Certificates = nil }, "--tls-certificate-path"},
		{"a relative path", func(s *api.Spec) { s.TLS.Certificates[0].Key = "a.key" }, "--tls-private-key-path"},
		{"below a path", func(s *api.Spec) { s.PathPrefixes = []string{"/api"} }, "--tls"},
		{"without a host", func(s *api.Spec) { s.Hosts, s.TLS.Certificates = nil, nil }, "--host"},
		{"another canonical host", func(s *api.Spec) { s.CanonicalHost = "c.test" }, "--canonical-host"},
	} {
		store := cert.New(cert.Options{})
		r, _ := startRegistry(t, Options{Certificates: store})
		spec := sealed("a.test", one)
		c.spec(&spec)
		_, err := r.Deploy(t.Context(), "web", api.DeployRequest{Spec: spec, Targets: at(a)}, nil)
		var failed *api.Error
		if !errors.As(err, &failed) || failed.Code != api.CodeInvalid || failed.Flag != c.flag {
			t.Errorf("%s: got %v, want an error about %s", c.name, err, c.flag)
		}
		if servesTLS(store, "a.test") {
			t.Errorf("%s: a certificate is served", c.name)
		}
	}
	r, _ := startRegistry(t, Options{})
	if _, err := r.Deploy(t.Context(), "web", api.DeployRequest{Spec: sealed("a.test", one), Targets: at(a)}, nil); err == nil || !strings.Contains(err.Error(), "--https") {
		t.Errorf("without a listener for TLS: got %v", err)
	}
}

// A certificate for another name is not refused, for who configured it so may have a
// reason; whoever has none hears of it at once.
func TestRegistry_Deploy_warnsOfACertificateForOtherHosts(t *testing.T) {
	core, logged := observer.New(zap.WarnLevel)
	r, _ := startRegistry(t, Options{Certificates: cert.New(cert.Options{}), Logger: zap.New(core)})
	files, a := certificateFor(t, t.TempDir(), "b.test"), startApp(t, 200)
	deploy := func(host string) []string {
		t.Helper()
		result, err := r.Deploy(t.Context(), "web", api.DeployRequest{Spec: sealed(host, files), Targets: at(a)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return result.Warnings
	}
	if got := deploy("b.test"); len(got) != 0 || logged.Len() != 0 {
		t.Errorf("one that fits: got %q and %d in the log", got, logged.Len())
	}
	mixed := sealed("b.test", files)
	mixed.Hosts, mixed.TLS.Automatic = []string{"a.test", "b.test"}, &api.AutomaticTLS{}
	result, err := r.Deploy(t.Context(), "web", api.DeployRequest{Spec: mixed, Targets: at(a)}, nil)
	if err != nil || len(result.Warnings) != 0 {
		t.Errorf("the other is automatic: got %q, %v", result.Warnings, err)
	}
	want := `no certificate of the service is for host "a.test"`
	if got := deploy("a.test"); len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if all := logged.All(); len(all) != 1 || all[0].ContextMap()["reason"] != want {
		t.Errorf("log: got %v", all)
	}
}

// A declared service has its certificates, and an unchanged one keeps those it watches.
func TestRegistry_Apply_hasCertificates(t *testing.T) {
	store := cert.New(cert.Options{})
	r, _ := startRegistry(t, Options{Certificates: store})
	files := certificateFor(t, t.TempDir(), "a.test")
	declared := []Declared{{Name: "web", Spec: sealed("a.test", files), Targets: at(startApp(t, 200))}}
	for range 2 {
		if err := r.Apply(declared); err != nil {
			t.Fatal(err)
		}
		if !servesTLS(store, "a.test") {
			t.Error("no certificate")
		}
	}
	if err := declared[0].CheckTLS(); err != nil {
		t.Errorf("got %v", err)
	}
	declared[0].Spec.TLS = &api.TLS{Certificates: []api.CertificateFiles{{Certificate: "/none", Key: "/none"}}}
	if err := declared[0].CheckTLS(); err == nil {
		t.Error("a file that is missing is good")
	}
	if err := r.Apply(nil); err != nil || servesTLS(store, "a.test") {
		t.Errorf("the certificate stays behind its service: %v", err)
	}
}

func TestHSTSValue(t *testing.T) {
	for _, c := range []struct {
		in   *api.HSTS
		want string
	}{
		{nil, ""},
		{&api.HSTS{MaxAge: -1}, "max-age=0"},
		{&api.HSTS{MaxAge: api.Duration(time.Hour), IncludeSubdomains: true, Preload: true}, "max-age=3600; includeSubDomains; preload"},
	} {
		if got := hstsValue(c.in); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.in, got, c.want)
		}
	}
}

// The flag that is named is the one of the file that is wrong.
func TestRegistry_Deploy_namesTheFlagOfATargetsFile(t *testing.T) {
	r, _ := startRegistry(t, Options{})
	good := certificateFor(t, t.TempDir(), "a.test")
	for _, c := range []struct {
		tls  api.TargetTLS
		flag string
	}{
		{api.TargetTLS{CA: "/nowhere"}, "--target-tls-ca"},
		{api.TargetTLS{Certificate: "/nowhere", Key: good.Key}, "--target-tls-certificate"},
		{api.TargetTLS{Certificate: good.Certificate, Key: "/nowhere"}, "--target-tls-key"},
	} {
		spec := quick("a.test")
		spec.TargetTLS = &c.tls
		_, err := r.Deploy(t.Context(), "web", api.DeployRequest{Spec: spec, Targets: []api.Target{{Address: "https://127.0.0.1:1"}}}, nil)
		var failed *api.Error
		if !errors.As(err, &failed) || failed.Flag != c.flag || !strings.Contains(failed.Message, c.flag) {
			t.Errorf("got %v, want an error about %s", err, c.flag)
		}
	}
}
