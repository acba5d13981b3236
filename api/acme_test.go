package api

import "testing"

func TestSpec_Validate_automaticTLS(t *testing.T) {
	for _, c := range []struct {
		hosts []string
		tls   AutomaticTLS
		flag  string // "" when it is valid
	}{
		{[]string{"a.test"}, AutomaticTLS{}, ""},
		{nil, AutomaticTLS{}, "--host"},
		{nil, AutomaticTLS{OnDemand: "/ask"}, ""},
		{nil, AutomaticTLS{OnDemand: "https://a.test/ask?x=1"}, ""},
		{nil, AutomaticTLS{OnDemand: "ask"}, "--tls-on-demand-url"},
		{nil, AutomaticTLS{OnDemand: "ftp://a.test/"}, "--tls-on-demand-url"},
		{[]string{"a.test"}, AutomaticTLS{Directory: "https://ca.test/dir"}, ""},
		{[]string{"a.test"}, AutomaticTLS{Directory: "http://ca.test/dir"}, "--tls-acme-directory"},
		{[]string{"a.test"}, AutomaticTLS{CachePath: "certs"}, "--tls-acme-cache-path"},
	} {
		err := Spec{Hosts: c.hosts, TLS: &TLS{Automatic: &c.tls}}.Validate()
		if c.flag == "" {
			if err != nil {
				t.Errorf("%v %+v: got %v", c.hosts, c.tls, err)
			}
			continue
		}
		wantInvalid(t, c.tls.OnDemand, err, c.flag)
	}
}
