package route

import (
	"strings"
	"testing"
)

func TestParseHost(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"example.com", "example.com"},
		{"Example.COM.", "example.com"},
		{"*.Example.com", "*.example.com"},
		{"localhost", "localhost"},
		{"my_app-1.internal", "my_app-1.internal"},
		{"xn--kse-qla.example", "xn--kse-qla.example"},
		{"10.0.0.1", "10.0.0.1"},
		{"::1", "::1"},
		{"[::1]", "::1"},
		{"2001:DB8:0:0::1", "2001:db8::1"},
		{strings.Repeat("a", 63) + ".b", strings.Repeat("a", 63) + ".b"},
	} {
		got, err := ParseHost(test.in)
		if err != nil || got != test.want {
			t.Errorf("ParseHost(%q): got %q, %v, want %q", test.in, got, err, test.want)
		}
	}
}

func TestParseHost_saysWhatIsWrong(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", "leave the host out"},
		{"*", "leave the host out"},
		{"example.com:80", "has a port"},
		{"[::1]:80", "has a port"},
		{"https://example.com", "more than a host"},
		{"example.com/api", "more than a host"},
		{"a.*.com", "whole first label"},
		{"a*.com", "whole first label"},
		{"*.*.com", "whole first label"},
		{"*.", "whole first label"},
		{"a..b", "label is empty"},
		{".a", "label is empty"},
		{"*..a", "label is empty"},
		{"a b", `contains ' '`},
		{"käse.de", "punycode"},
		{"-a.com", "hyphen"},
		{"a-.com", "hyphen"},
		{"1.2.3", "not an IP address"},
		{"*.2.3.4", "not an IP address"},
		{"fe80::1%eth0", "zone"},
		{strings.Repeat("a", 64) + ".com", "at most 63"},
		{strings.Repeat("a.", 127) + "com", "at most 253"},
	} {
		got, err := ParseHost(test.in)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParseHost(%q): got %q, %v, want an error with %q", test.in, got, err, test.want)
		}
	}
}
