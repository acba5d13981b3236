package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"upfront/api"
)

func TestParse_tls(t *testing.T) {
	file, err := Parse("proxy.yml", []byte(`tls:
  email: ops@example.com
  directory: https://ca.example.com/dir
  directory_ca: /etc/ca.pem
  eab: {key_id: k, mac_key: file:/run/mac}
  storage: /srv/certificates
  caches: [/srv/kamal]
  fallback: {staging: true}
  dns:
    provider: rfc2136
    options: {server: "127.0.0.1:53", key: s}
    resolvers: ["127.0.0.1:53"]
    propagation_timeout: 30s
services:
  a: {hosts: [a.test], tls: automatic}
  b: {tls: {automatic: {staging: true, cache: /srv/b, on_demand: /ask}}}
  c: {hosts: [c.test], tls: {automatic: true}}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := ACME{
		Authority: Authority{
			Directory: "https://ca.example.com/dir", DirectoryCA: "/etc/ca.pem", Email: "ops@example.com",
			EAB: ExternalAccount{KeyID: "k", MACKey: "file:/run/mac"},
		},
		Storage: "/srv/certificates", Caches: []string{"/srv/kamal"},
		Fallback: &Authority{Directory: api.StagingDirectory},
		DNS: DNS{
			Provider: "rfc2136", Options: map[string]string{"server": "127.0.0.1:53", "key": "s"},
			Resolvers: []string{"127.0.0.1:53"}, PropagationTimeout: 30 * time.Second,
		},
	}
	if !reflect.DeepEqual(file.ACME, want) {
		t.Errorf("got  %+v\nwant %+v", file.ACME, want)
	}
	for i, want := range []api.AutomaticTLS{{}, {Directory: api.StagingDirectory, CachePath: "/srv/b", OnDemand: "/ask"}, {}} {
		if got := file.Services[i].Spec.TLS; got == nil || got.Automatic == nil || *got.Automatic != want {
			t.Errorf("service %d: got %+v, want %+v", i, got, want)
		}
	}
}

func TestParse_tlsSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"tls: {email: nobody}":                              `1:14: tls.email: "nobody" is not an e-mail address`,
		"tls: {directory: http://a.test}":                   "is not the URL of an ACME directory",
		"tls: {eab: {key_id: k}}":                           "needs both key_id and mac_key",
		"tls: {dns: {options: {a: b}}}":                     "names no provider",
		"tls: {dns: {provider: x, resolvers: [a]}}":         "is not an address with a port",
		"tls: {storage: here}":                              "tls.storage",
		"tls: {mail: a@b}":                                  "tls.mail: unknown key",
		"services: {a: {hosts: [a.test], tls: manual}}":     `must be automatic, true or a mapping, not "manual"`,
		"services: {a: {tls: {automatic: {demand: /ask}}}}": "unknown key",
	} {
		if _, err := Parse("proxy.yml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
