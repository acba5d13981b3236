package health

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseChecks(t *testing.T) {
	tests := []struct {
		name, in string
		want     map[string]string
	}{
		{"rails", `{"status":"error","checks":{"database":false,"redis":true}}`, map[string]string{"database": "false", "redis": "true"}},
		{"space before", " \r\n{\"checks\":{\"a\":true}}", map[string]string{"a": "true"}},
		{"text and numbers", `{"checks":{"db":"down","lag":1.50,"note":null}}`, map[string]string{"db": "down", "lag": "1.50", "note": "null"}},
		{"objects", `{"checks":{"db":{"status":"DOWN","x":1},"q":{"healthy":false},"s":{"ok":true},"e":{}}}`, map[string]string{"db": "DOWN", "q": "false", "s": "true", "e": "{…}"}},
		{"nested status", `{"checks":{"db":{"status":{"a":1}}}}`, map[string]string{"db": "{…}"}},
		{"lists", `{"checks":{"a":[{"status":"pass"},{"status":"fail"}],"b":["pass"],"c":[],"d":[[1]]}}`, map[string]string{"a": "fail", "b": "pass", "c": "[]", "d": "[…]"}},
		{"escapes", `{"checks":{"d\u001b[2Jb":"a\nb"}}`, map[string]string{"d?[2Jb": "a?b"}},
		{"html", `<html>"checks"</html>`, nil},
		{"cut short", `{"checks":{"a":tr`, nil},
		{"no object", `{"checks":[1]}`, nil},
		{"null", `{"checks":null}`, nil},
		{"empty", `{"checks":{}}`, nil},
		{"elsewhere", `{"a":{"checks":{"a":1}}}`, nil},
		{"nothing", ``, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseChecks([]byte(tt.in)); !maps.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestParseChecks_keepsFailedOnesOfMany(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"checks":{`)
	for i := range 1000 {
		fmt.Fprintf(&b, `"check%04d":true,`, i)
	}
	b.WriteString(`"zz":false}}`)
	got := parseChecks([]byte(b.String()))
	if len(got) != maxChecks || got["zz"] != "false" {
		t.Errorf("got %d checks, zz = %q; want %d with zz = false", len(got), got["zz"], maxChecks)
	}
}

func TestPrintable_cutsBetweenRunes(t *testing.T) {
	got := printable(strings.Repeat("é", 100), 10)
	if want := "ééé…"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParseChecks(f *testing.F) {
	f.Add([]byte(`{"status":"error","checks":{"database":false}}`))
	f.Add([]byte(`{"checks":{"a":[{"status":"fail"}],"b":{"ok":true},"c":"\ud800"}}`))
	f.Add([]byte(`{"checks":{"":"` + strings.Repeat("x", 200) + `"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		checks := parseChecks(body)
		if len(checks) > maxChecks {
			t.Errorf("%d checks, want at most %d", len(checks), maxChecks)
		}
		for name, text := range checks {
			if len(name) > maxCheckName || len(text) > maxCheckText {
				t.Errorf("check %q=%q is too long", name, text)
			}
			if !utf8.ValidString(name+text) || strings.ContainsAny(name+text, "\r\n\x1b\x00") {
				t.Errorf("check %q=%q is not printable", name, text)
			}
		}
		s := Result{Path: "/up", Code: 503, Checks: checks}.String()
		if most := 64 + shownChecks*(maxCheckName+maxCheckText+3); len(s) > most {
			t.Errorf("sentence of %d bytes, want at most %d", len(s), most)
		}
	})
}
