package http1

import (
	"net/netip"
	"strings"
	"testing"
)

// host is a request with this Host value.
func host(value string) string { return "GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n" }

var targetVerdicts = []verdict{
	{"RFC9112_3_2_encodedCRLF", line("GET /%0d%0aX:%20y HTTP/1.1"), nil},
	{"RFC9112_3_2_badEncoding", line("GET /%zz%2 HTTP/1.1"), nil},
	{"RFC9112_3_2_dots", line("GET /a/../%2e%2e/b HTTP/1.1"), nil},
	{"RFC9112_3_2_twoSlashes", line("GET //evil.test//x HTTP/1.1"), nil},
	{"RFC9112_3_2_encodedSlash", line("GET /a%2f..%5c HTTP/1.1"), nil},
	{"RFC9112_3_2_rawFromBrowsers", line("GET /{a}|^?q[]=\"<>`\\d HTTP/1.1"), nil},
	{"RFC9112_3_2_fragment", line("GET /#f HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_NUL", line("GET /\x00 HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_DEL", line("GET /\x7f HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_obsText", line("GET /\xff HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_backslash", line("GET /a\\b HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_encodedNUL", line("GET /a%2500%00 HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_encodedNULInQuery", line("GET /?%00 HTTP/1.1"), nil},
	{"RFC9112_3_2_encodedPercent", line("GET /%2500 HTTP/1.1"), nil},
	{"RFC9112_3_2_1_noSlash", line("GET index.html HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_1_queryOnly", line("GET ?a HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_3_authority", line("GET a:80 HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_4_asterisk", line("OPTIONS * HTTP/1.1"), nil},
	{"RFC9112_3_2_4_asteriskGET", line("GET * HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_4_asteriskAndMore", line("OPTIONS *? HTTP/1.1"), ErrTarget},

	{"RFC9112_3_2_2_absolute", line("GET http://b.test:81/x?y HTTP/1.1"), nil},
	{"RFC9112_3_2_2_absoluteUpper", line("GET HTTPS://b/ HTTP/1.1"), nil},
	{"RFC9112_3_2_2_noPath", line("GET http://b HTTP/1.1"), nil},
	{"RFC9112_3_2_2_noPathOptions", line("OPTIONS http://b HTTP/1.1"), nil},
	{"RFC9112_3_2_2_queryAtOnce", line("GET http://b?x HTTP/1.1"), nil},
	{"RFC9112_3_2_2_queryAtOnceOptions", line("OPTIONS http://b?x HTTP/1.1"), nil},
	{"RFC9112_3_2_2_IPv6", line("GET http://[::1]:80/ HTTP/1.1"), nil},
	{"RFC9112_3_2_2_http10WithoutHost", "GET http://b/ HTTP/1.0\r\n\r\n", nil},
	{"RFC9112_3_2_2_withoutHost", "GET http://b/ HTTP/1.1\r\n\r\n", ErrHost},
	{"RFC9112_3_2_2_twoHosts", "GET http://b/ HTTP/1.1\r\nHost: b\r\nHost: b\r\n\r\n", ErrHost},
	{"RFC9112_3_2_2_badHostField", "GET http://b/ HTTP/1.1\r\nHost: b, c\r\n\r\n", ErrHost},
	{"RFC9112_3_2_2_emptyHostField", "GET http://b/ HTTP/1.1\r\nHost:\r\n\r\n", ErrHost},
	{"RFC9112_3_2_2_otherScheme", line("GET ftp://b/ HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_2_schemeEmpty", line("GET ://b/ HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_2_schemeOnly", line("GET http: HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_2_oneSlash", line("GET http:/x HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_2_backslashes", line("GET http:\\\\b/ HTTP/1.1"), ErrTarget},
	{"RFC9112_3_2_2_encodedNUL", line("GET http://b/%00 HTTP/1.1"), ErrTarget},
	{"RFC9110_4_2_1_authorityEmpty", line("GET http:// HTTP/1.1"), ErrHost},
	{"RFC9110_4_2_1_authorityEmptyPath", line("GET http:///x HTTP/1.1"), ErrHost},
	{"RFC9110_4_2_1_authorityPortOnly", line("GET http://:80/ HTTP/1.1"), ErrHost},
	{"RFC9110_4_2_1_authorityBackslash", line("GET http://b\\c/ HTTP/1.1"), ErrHost},
	{"RFC9110_4_2_1_authorityBracket", line("GET http://[::1/ HTTP/1.1"), ErrHost},
	{"RFC9110_4_2_4_userinfo", line("GET http://u@b/ HTTP/1.1"), ErrHost},
	{"RFC9110_4_2_4_userinfoPassword", line("GET http://u:p@b/ HTTP/1.1"), ErrHost},

	{"RFC9112_3_2_hostMissing", "GET / HTTP/1.1\r\n\r\n", ErrHost},
	{"RFC9112_3_2_hostMissingIn10", "GET / HTTP/1.0\r\n\r\n", nil},
	{"RFC9112_3_2_hostMissingIn12", "GET / HTTP/1.2\r\n\r\n", ErrHost},
	{"RFC9112_3_2_hostTwice", get("Host: evil\r\n"), ErrHost},
	{"RFC9112_3_2_hostTwiceSame", get("hOST: a\r\n"), ErrHost},
	{"RFC9112_3_2_hostTwiceIn10", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", ErrHost},
	{"RFC9112_3_2_hostBadIn10", "GET / HTTP/1.0\r\nHost: a/b\r\n\r\n", ErrHost},
	{"RFC9112_3_2_hostEmpty", host(""), ErrHost},
	{"RFC9112_3_2_hostList", host("a, evil"), ErrHost},
	{"RFC9112_3_2_hostComma", host("a,evil"), ErrHost},
	{"RFC9112_3_2_hostSpace", host("a evil"), ErrHost},
	{"RFC9112_3_2_hostTab", host("a\tevil"), ErrHost},
	{"RFC9112_3_2_hostUserinfo", host("u@a"), ErrHost},
	{"RFC9112_3_2_hostPath", host("a/x"), ErrHost},
	{"RFC9112_3_2_hostQuery", host("a?x"), ErrHost},
	{"RFC9112_3_2_hostFragment", host("a#x"), ErrHost},
	{"RFC9112_3_2_hostBackslash", host("a\\x"), ErrHost},
	{"RFC9112_3_2_hostNUL", host("a\x00b"), ErrFieldValue},
	{"RFC9112_3_2_hostObsText", host("caf\xc3\xa9"), ErrHost},
	{"RFC9112_3_2_hostURL", host("http://a"), ErrHost},
	{"RFC9110_7_2_name", host("App-1.example.com."), nil},
	{"RFC9110_7_2_underscore", host("web_1:3000"), nil},
	{"RFC9110_7_2_encoded", host("caf%C3%a9"), nil},
	{"RFC9110_7_2_encodedCut", host("a%2"), ErrHost},
	{"RFC9110_7_2_encodedBad", host("a%zz"), ErrHost},
	{"RFC9110_7_2_portEmpty", host("a:"), nil},
	{"RFC9110_7_2_portMax", host("a:65535"), nil},
	{"RFC9110_7_2_portOver", host("a:65536"), ErrHost},
	{"RFC9110_7_2_portHuge", host("a:" + strings.Repeat("9", 30)), ErrHost},
	{"RFC9110_7_2_portLetters", host("a:abc"), ErrHost},
	{"RFC9110_7_2_portMinus", host("a:-1"), ErrHost},
	{"RFC9110_7_2_portPlus", host("a:+1"), ErrHost},
	{"RFC9110_7_2_portTwice", host("a:1:2"), ErrHost},
	{"RFC9110_7_2_portOnly", host(":80"), ErrHost},
	{"RFC3986_3_2_2_IPv6", host("[2001:db8::1]:443"), nil},
	{"RFC3986_3_2_2_IPv6Open", host("[::1"), ErrHost},
	{"RFC3986_3_2_2_IPv6Empty", host("[]"), ErrHost},
	{"RFC3986_3_2_2_IPv6Zone", host("[fe80::1%eth0]"), ErrHost},
	{"RFC3986_3_2_2_IPv6Tail", host("[::1]x"), ErrHost},
	{"RFC3986_3_2_2_IPv6Bare", host("::1"), ErrHost},
	{"RFC3986_3_2_2_IPvFuture", host("[v1.x]"), ErrHost},
	{"RFC3986_3_2_2_IPv4InBrackets", host("[127.0.0.1]"), ErrHost},
}

func TestRequest_RFC9112_3_2_forms(t *testing.T) {
	for _, c := range []struct{ name, line, target, path, host string }{
		{"origin", "GET /a/b?c=/d?e HTTP/1.1", "/a/b?c=/d?e", "/a/b", "a"},
		{"originRoot", "GET / HTTP/1.1", "/", "/", "a"},
		{"originKeepsBytes", "GET //%41/../%2f;x?%00 HTTP/1.1", "//%41/../%2f;x?%00", "//%41/../%2f;x", "a"},
		{"asterisk", "OPTIONS * HTTP/1.1", "*", "*", "a"},
		{"absolute", "GET http://b:81/x?y HTTP/1.1", "/x?y", "/x", "b:81"},
		{"absoluteSlash", "GET hTTp://b/ HTTP/1.1", "/", "/", "b"},
		{"absoluteNoPath", "GET https://b HTTP/1.1", "/", "/", "b"},
		{"absoluteNoPathOptions", "OPTIONS http://b HTTP/1.1", "*", "*", "b"},
		{"absoluteQuery", "GET http://b?x/y HTTP/1.1", "/?x/y", "/", "b"},
		{"absoluteQueryOptions", "OPTIONS http://b? HTTP/1.1", "/?", "/", "b"},
		{"absoluteInQuery", "GET /?http://b/ HTTP/1.1", "/?http://b/", "/", "a"},
		{"absoluteIPv6", "GET http://[::1]:80/ HTTP/1.1", "/", "/", "[::1]:80"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := mustScan(t, line(c.line))
			if string(r.Target) != c.target || string(r.Path) != c.path || string(r.Host) != c.host {
				t.Errorf("got %q, path %q, host %q; want %q, %q, %q", r.Target, r.Path, r.Host, c.target, c.path, c.host)
			}
			if want := c.host != "a"; r.Absolute != want {
				t.Errorf("got absolute %t, want %t", r.Absolute, want)
			}
		})
	}
}

func TestValidIPv6_agreesWithNetip(t *testing.T) {
	// Every sequence of up to six of these, and what grows out of the long ones.
	parts := []string{":", "::", "0", "fFfF", "1.2.3.4", "12345", "1.2.3", "1.2.3.256", "01.2.3.4", "g"}
	starts := []string{"", "1:2:3:4:5", "1:2:3:4:5:6", "1:2:3:4:5:6:7", "::2:3:4:5:6", "1::3:4:5:6:7"}
	for _, start := range starts {
		walk(start, parts, 4, func(s string) {
			addr, err := netip.ParseAddr(s)
			if got, want := validIPv6([]byte(s)), err == nil && addr.Is6(); got != want {
				t.Errorf("%q: got %t, want %t", s, got, want)
			}
		})
	}
}

func walk(s string, parts []string, depth int, visit func(string)) {
	visit(s)
	if depth == 0 {
		return
	}
	for _, p := range parts {
		walk(s+p, parts, depth-1, visit)
	}
}
