package kamalstate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"upfront/api"
)

func write(t *testing.T, w Writer, services ...api.ServiceState) (text string, lost []error) {
	t.Helper()
	lost, err := w.Write(services)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(w.Path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), lost
}

func put(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// putCertificate writes one for nobody.
func putCertificate(t *testing.T, folder string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, about, about, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return put(t, filepath.Join(folder, "c.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		put(t, filepath.Join(folder, "k.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

// What is read of kamal-proxy's file is the same once we have written it, whatever
// its form was.
func TestWriter_roundTrip(t *testing.T) {
	folder := t.TempDir()
	certificate, key := putCertificate(t, folder)
	put(t, filepath.Join(folder, "503.html"), "{{ .Message }}")
	here := strings.NewReplacer("/c.pem", certificate, "/k.pem", key, `"/pages"`, `"`+folder+`"`)
	services, lost := parse([]byte("[" + here.Replace(current) + "," + legacy + "]"))
	wantServices(t, services, "web", "old")
	text, missing := write(t, Writer{Path: filepath.Join(folder, "state")}, services...)
	again, lostAgain := parse([]byte(text))
	if lost != nil || missing != nil || lostAgain != nil {
		t.Errorf("lost: %v, %v, %v", lost, missing, lostAgain)
	}
	wantServices(t, again, "web", "old")
	for i := range services {
		services[i].Spec, again[i].Spec = services[i].Spec.WithDefaults(), again[i].Spec.WithDefaults()
		if !reflect.DeepEqual(again[i], services[i]) {
			t.Errorf("got  %+v\nwant %+v", again[i], services[i])
		}
	}
	for _, part := range []string{
		`"percentage_split_point":858993459`, `"active_readers":[]`, `"rollout_controller":null`,
		`"pause_controller":{"state":2,"stop_message":"Back soon","fail_after":0}`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the file lacks %s:\n%s", part, text)
		}
	}
	if strings.Contains(text, `"active_target":`) {
		t.Errorf("the file has keys of an older form:\n%s", text)
	}
}

// One service that kamal-proxy cannot restore costs it all of them.
func TestWriter_leavesOutWhatWouldBreakTheOthers(t *testing.T) {
	plain := api.ServiceState{Name: "plain", Targets: []api.Target{{Address: "app:80"}}, Spec: api.Spec{ErrorPages: "/nowhere/pages"}}
	secure := api.ServiceState{Name: "secure", Targets: []api.Target{{Address: "app:80"}}, Spec: api.Spec{
		Hosts: []string{"a.test"}, TLS: &api.TLS{Certificates: []api.CertificateFiles{{Certificate: "/nowhere/c.pem", Key: "/nowhere/k.pem"}}},
	}}
	unix := api.ServiceState{Name: "unix", Targets: []api.Target{{Address: "unix:/run/app.sock"}}}
	wide := api.ServiceState{Name: "wide", Targets: []api.Target{{Address: "app:80"}}, Spec: api.Spec{
		Hosts: []string{"*.a.test"}, TLS: &api.TLS{Automatic: &api.AutomaticTLS{}},
	}}
	text, lost := write(t, Writer{Path: filepath.Join(t.TempDir(), "state")}, plain, secure, unix, wide, api.ServiceState{Name: "declared"})
	services, _ := parse([]byte(text))
	wantServices(t, services, "plain")
	if services[0].Spec.ErrorPages != "" {
		t.Errorf("got error pages %q, which are not there", services[0].Spec.ErrorPages)
	}
	if len(lost) != 3 || !strings.Contains(lost[0].Error(), "/nowhere/c.pem") || !strings.Contains(lost[1].Error(), "unix:") {
		t.Errorf("got %v, want what is lost", lost)
	}
}

// kamal-proxy reads every page when it starts, and needs one.
func TestWriter_leavesOutPagesThatAreNoTemplates(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"none": {}, "another kind": {"503.txt": "x"}, "no template": {"404.html": "fine", "503.html": "{{ .Message"},
	} {
		pages := t.TempDir()
		for file, text := range files {
			put(t, filepath.Join(pages, file), text)
		}
		text, lost := write(t, Writer{Path: filepath.Join(t.TempDir(), "state")},
			api.ServiceState{Name: "web", Targets: []api.Target{{Address: "app:80"}}, Spec: api.Spec{ErrorPages: pages}})
		if lost != nil || !strings.Contains(text, `"error_page_path":""`) {
			t.Errorf("%s: got %s, %v", name, text, lost)
		}
	}
}

// The folder of kamal-proxy's cache has the name of the directory.
func TestWriter_namesTheDirectoryOfCertificates(t *testing.T) {
	text, lost := write(t, Writer{Path: filepath.Join(t.TempDir(), "state"), Certificates: "/certs"},
		api.ServiceState{Name: "web", Targets: []api.Target{{Address: "app:80"}}, Spec: api.Spec{
			Hosts: []string{"a.test"}, TLS: &api.TLS{Automatic: &api.AutomaticTLS{}},
		}})
	if want := `"acme_directory":"` + letsEncrypt + `","acme_cache_path":"/certs"`; lost != nil || !strings.Contains(text, want) {
		t.Errorf("got %s, %v, want %s", text, lost, want)
	}
}

func TestWriter_keepsTheFileThatItFound(t *testing.T) {
	path := put(t, filepath.Join(t.TempDir(), "state"), "theirs")
	for range 3 {
		write(t, Writer{Path: path})
	}
	if got, err := os.ReadFile(path + firstSuffix); string(got) != "theirs" {
		t.Errorf("got %q, %v, want what was there first", got, err)
	}
}

func TestNewer(t *testing.T) {
	folder := t.TempDir()
	own, path := put(t, filepath.Join(folder, "own"), ""), filepath.Join(folder, "state")
	before := time.Now().Add(-time.Hour)
	if err := os.Chtimes(own, before, before); err != nil {
		t.Fatal(err)
	}
	if Newer(path, own) {
		t.Error("a file that is not there is newer")
	}
	for text, want := range map[string]bool{
		"[" + current + "]": true, "[]": false, "[" + current: false, `[{"name":"web","written_by":"upfront"}]`: false,
	} {
		put(t, path, text)
		if got := Newer(path, own); got != want {
			t.Errorf("%.40s: got %v, want %v", text, got, want)
		}
	}
	put(t, path, "["+current+"]")
	if err := os.Chtimes(path, before.Add(-time.Hour), before.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if Newer(path, own) {
		t.Error("a file from before ours is newer")
	}
}
