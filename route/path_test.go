package route

import (
	"strings"
	"testing"
)

func TestParsePathPrefix(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", "/"},
		{"/", "/"},
		{"//", "/"},
		{"api", "/api"},
		{"/api", "/api"},
		{"/api/", "/api"},
		{"/API/v2.0", "/API/v2.0"},
		{"/.well-known", "/.well-known"},
		{"/...", "/..."},
		{"/k%c3%a4se", "/k%C3%A4se"},
		{"/a%20b", "/a%20b"},
	} {
		got, err := ParsePathPrefix(test.in)
		if err != nil || got != test.want {
			t.Errorf("ParsePathPrefix(%q): got %q, %v, want %q", test.in, got, err, test.want)
		}
	}
}

func TestParsePathPrefix_saysWhatIsWrong(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"/api?x=1", "without query"},
		{"/api#top", "without query"},
		{"/a b", "space"},
		{"/a\tb", "control"},
		{"/a\x00b", "control"},
		{"/a\x7fb", "control"},
		{"/käse", "percent-encoded"},
		{"/a%2", "hexadecimal"},
		{"/a%zz", "hexadecimal"},
		{"/api/*", "leave out the *"},
		{"/a/../b", `write "/b"`},
		{"/..", `write "/"`},
		{"/a/./b", `write "/a/b"`},
		{"/a//b", `write "/a/b"`},
		{"/a%2fb", `write "/a/b"`},
		{"/%61pi", `write "/api"`},
		{`/a\b`, `write "/a/b"`},
	} {
		got, err := ParsePathPrefix(test.in)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParsePathPrefix(%q): got %q, %v, want an error with %q", test.in, got, err, test.want)
		}
	}
}

func TestAppendPlain(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"*", "*"},
		{"/", "/"},
		{"/a/b", "/a/b"},
		{"/a/b/", "/a/b/"},
		{"//a///b//", "/a/b/"},
		{"/a/./b", "/a/b"},
		{"/a/b/.", "/a/b/"},
		{"/a/b/..", "/a/"},
		{"/a/../b", "/b"},
		{"/../../a", "/a"},
		{"/..", "/"},
		{"/a/b/../../../c", "/c"},
		{"/a/...", "/a/..."},
		{"/a/..b", "/a/..b"},
		{"/.well-known", "/.well-known"},
		{"/a/..;x=1/b", "/b"},
		{"/a/.;/b", "/a/b"},
		{"/a/..;", "/"},
		{"/%2e%2E/%61", "/a"},
		{"/a%2Fb%5cc\\d", "/a/b/c/d"},
		{"/%c3%A4%20%26", "/%C3%A4%20%26"},
		{"/a;x=1/b;y", "/a/b"},
		{"/a/%3b/b", "/a/b"},
		{"/a%3Fb/c", "/a"},
		{"/a/%23b/c", "/a/"},
		{"/%252e", "/%252e"}, // one round only
		{"/%25%32%65", "/%252e"},
		{"/%2", "/%252"},
		{"/%zz%", "/%25zz%25"},
	} {
		if got := string(AppendPlain([]byte("kept"), []byte(test.in))); got != "kept"+test.want {
			t.Errorf("AppendPlain(%q): got %q, want %q behind what was there", test.in, got, test.want)
		}
		again := string(AppendPlain(nil, AppendPlain(nil, []byte(test.in))))
		if again != test.want {
			t.Errorf("AppendPlain(%q) twice: got %q, want %q", test.in, again, test.want)
		}
	}
}

func TestIsPlain(t *testing.T) {
	for path, want := range map[string]bool{
		"":             true,
		"/":            true,
		"*":            true,
		"/a/b.c/":      true,
		"/a..b/c.":     true,
		"/%C3%A4%20":   true,
		"/%26%25":      true,
		"/%3F":         false,
		"/%2561":       false,
		"/a;b":         false,
		"/a?b":         false,
		"/a#b":         false,
		"//":           false,
		"/a//b":        false,
		"/a/.":         false,
		"/a/..":        false,
		"/.hidden":     false, // not sure: costs a second look
		"/%2e":         false,
		"/%2E":         false,
		"/%2F":         false,
		"/%5C":         false,
		"/%41":         false,
		"/%c3":         false,
		"/%C":          false,
		"/%":           false,
		"/%GG":         false,
		`/a\b`:         false,
		"/ok/%7E":      false,
		"/ok/%7C/done": true,
	} {
		if got := IsPlain([]byte(path)); got != want {
			t.Errorf("IsPlain(%q): got %v, want %v", path, got, want)
		}
	}
}
