package config

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"upfront/api"
)

func TestParse_TLS(t *testing.T) {
	no := false
	files := func(name string) api.CertificateFiles {
		return api.CertificateFiles{Certificate: "/" + name + ".pem", Key: "/" + name + ".key"}
	}
	file, err := Parse("proxy.yml", []byte(`
listeners:
  http: [":80", {address: ":81", proxy_protocol: [10.0.0.0/8, "::1"]}]
  https: {address: ":443", proxy_protocol: 10.0.0.0/8}
tls:
  certificates: {certificate: /d.pem, key: /d.key}
limits: {handshake_timeout: 3s}
services:
  web:
    hosts: [a.test, b.test]
    canonical_host: a.test
    tls:
      certificates:
        - {certificate: /a.pem, key: /a.key}
        - {certificate: /b.pem, key: /b.key}
      client_ca: /ca.pem
      redirect: false
      hsts: {max_age: 0, preload: true}
  plain: {hosts: c.test, tls: true}
  none: {hosts: d.test, tls: false}
`))
	if err != nil {
		t.Fatal(err)
	}
	ten := netip.MustParsePrefix("10.0.0.0/8")
	want := Listeners{
		HTTP:  []Listener{{Address: ":80"}, {":81", []netip.Prefix{ten, netip.MustParsePrefix("::1/128")}}},
		HTTPS: []Listener{{":443", []netip.Prefix{ten}}},
	}
	if !reflect.DeepEqual(file.Listeners, want) {
		t.Errorf("got %+v, want %+v", file.Listeners, want)
	}
	if len(file.Certificates) != 1 || file.Certificates[0].CertificateFiles != files("d") || file.Limits.Handshake != 3e9 {
		t.Errorf("got %+v, %s", file.Certificates, file.Limits.Handshake)
	}
	web := file.Services[0].Spec
	wantTLS := &api.TLS{
		Certificates: []api.CertificateFiles{files("a"), files("b")}, ClientCA: "/ca.pem", Redirect: &no,
		HSTS: &api.HSTS{MaxAge: -1, Preload: true},
	}
	if !reflect.DeepEqual(web.TLS, wantTLS) || web.CanonicalHost != "a.test" {
		t.Errorf("got %+v, %q, want %+v", web.TLS, web.CanonicalHost, wantTLS)
	}
	if !reflect.DeepEqual(file.Services[1].Spec.TLS, &api.TLS{}) || file.Services[2].Spec.TLS != nil {
		t.Errorf("got %+v and %+v", file.Services[1].Spec.TLS, file.Services[2].Spec.TLS)
	}
}

func TestParse_TLS_mistakes(t *testing.T) {
	for text, want := range map[string]string{
		"listeners: {https: {proxy_protocol: [10.0.0.0/8]}}": "has no address",
		"listeners: {https: [{address: nope}]}":              `"nope" is not an address`,
		"tls: {certificates: []}":                            "has no certificate",
		"tls: {certificates: [{certificate: /a}]}":           "lacks a file",
		"tls: {certificates: [{certificate: a, key: /b}]}":   `"a" is not an absolute path`,
		"services: {web: {tls: {redirct: true}}}":            `did you mean "redirect"`,
		"services: {web: {canonical_host: '*.a.test'}}":      "is a wildcard",
		"services: {web: {tls: 3}}":                          "tls",
	} {
		if _, err := Parse("proxy.yml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
