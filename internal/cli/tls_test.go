package cli

import (
	"reflect"
	"testing"
	"time"

	"upfront/api"
)

func TestTLSFlags_set(t *testing.T) {
	no := false
	for _, c := range []struct {
		name  string
		flags tlsFlags
		want  *api.TLS
		fails bool
	}{
		{"nothing", tlsFlags{redirect: true}, nil, false},
		{"--tls", tlsFlags{on: true, redirect: true}, &api.TLS{}, false},
		{"files", tlsFlags{certificates: []string{"/a", "/b"}, keys: []string{"/c", "/d"}}, &api.TLS{
			Certificates: []api.CertificateFiles{{Certificate: "/a", Key: "/c"}, {Certificate: "/b", Key: "/d"}}, Redirect: &no,
		}, false},
		{"a certificate without a key", tlsFlags{on: true, certificates: []string{"/a"}}, nil, true},
		{"all of it", tlsFlags{on: true, redirect: true, clientCA: "/ca", hsts: time.Hour, hstsP: true}, &api.TLS{
			ClientCA: "/ca", HSTS: &api.HSTS{MaxAge: api.Duration(time.Hour), Preload: true},
		}, false},
	} {
		var spec api.Spec
		err := c.flags.set(&spec)
		if (err != nil) != c.fails || !reflect.DeepEqual(spec.TLS, c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", c.name, spec.TLS, err, c.want)
		}
	}
}

func TestTLSCell(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) api.CertificateInfo { return api.CertificateInfo{NotAfter: now.Add(d)} }
	on := api.Spec{TLS: &api.TLS{}}
	for _, c := range []struct {
		service   api.ServiceInfo
		automatic []api.AutomaticCertificate
		want      cell
	}{
		{api.ServiceInfo{}, nil, cell{text: "no"}},
		{api.ServiceInfo{Spec: on}, nil, cell{text: "yes"}},
		{api.ServiceInfo{Spec: on, Certificates: []api.CertificateInfo{at(72 * time.Hour), at(48 * time.Hour)}}, nil, cell{text: span(48 * time.Hour)}},
		{api.ServiceInfo{Spec: on, Certificates: []api.CertificateInfo{at(-time.Hour)}}, nil, cell{text: "expired"}},
		{api.ServiceInfo{Spec: on, Certificates: []api.CertificateInfo{{Problem: "gone"}}}, nil, cell{text: "yes", colour: red}},
		{api.ServiceInfo{Spec: on}, []api.AutomaticCertificate{{NotAfter: now.Add(72 * time.Hour)}, {NotAfter: now.Add(48 * time.Hour)}}, cell{text: span(48 * time.Hour)}},
		{api.ServiceInfo{Spec: on}, []api.AutomaticCertificate{{NotAfter: now.Add(48 * time.Hour), Problem: "not renewed"}}, cell{text: span(48 * time.Hour)}},
		{api.ServiceInfo{Spec: on}, []api.AutomaticCertificate{{NotAfter: now.Add(48 * time.Hour)}, {Trying: true}}, cell{"pending", yellow}},
		{api.ServiceInfo{Spec: on}, []api.AutomaticCertificate{{Problem: "refused"}, {}}, cell{"failed", red}},
	} {
		if got := tlsCell(c.service, c.automatic, now); got != c.want {
			t.Errorf("got %+v, want %+v", got, c.want)
		}
	}
}
