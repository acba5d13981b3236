package page

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestContent_hasWordsForEveryStatus(t *testing.T) {
	seen := map[string]bool{}
	for status := range statusWords {
		c := Content{Status: status}
		if c.Title() == "" || !strings.HasSuffix(c.Sentence(), ".") || seen[c.Sentence()] {
			t.Errorf("%d: got %q, %q", status, c.Title(), c.Sentence())
		}
		seen[c.Sentence()] = true
	}
	for _, status := range []int{418, 599, 999} {
		if c := (Content{Status: status}); c.Title() == "" || c.Sentence() == "" {
			t.Errorf("%d: got %q, %q", status, c.Title(), c.Sentence())
		}
	}
}

func TestContent_Append(t *testing.T) {
	for _, c := range []struct {
		name       string
		content    Content
		text, json string
		html       []string
	}{
		{
			"an error",
			Content{Status: 404, RequestID: "id"},
			"404 Page not found\nThere is nothing at this address. Please check it, or start again from the home page.\nRequest id\n",
			`{"status":404,"title":"Page not found","error":"There is nothing at this address. Please check it, or start again from the home page.","request_id":"id"}` + "\n",
			[]string{"<title>Page not found</title>", "<h1>Page not found</h1>", "<p>There is nothing", "Error 404 · Request <code>id</code>"},
		},
		{
			"a message",
			Content{Status: 503, Maintenance: true, Message: "Back <b>soon</b>\n& \"well\"", RequestID: "id"},
			"503 Down for maintenance\nBack <b>soon</b>\n& \"well\"\nRequest id\n",
			`{"status":503,"title":"Down for maintenance","error":"Back \u003cb\u003esoon\u003c/b\u003e\n\u0026 \"well\"","request_id":"id"}` + "\n",
			[]string{`<body class="maintenance">`, "<p>Back &lt;b&gt;soon&lt;/b&gt;\n&amp; &#34;well&#34;</p>", "<footer>Request <code>id</code>"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(c.content.Append([]byte("x"), Text)); got != "x"+c.text {
				t.Errorf("text: got %q", got)
			}
			got := string(c.content.Append([]byte("x"), JSON))
			if got != "x"+c.json || !json.Valid([]byte(got[1:])) {
				t.Errorf("JSON: got %q", got)
			}
			got = string(c.content.Append([]byte("x"), HTML))
			for _, want := range c.html {
				if !strings.HasPrefix(got, "x<!doctype html>") || !strings.Contains(got, want) {
					t.Errorf("HTML: got %s, want %q in it", got, want)
				}
			}
		})
	}
}

func TestContent_Append_leavesNoNameOpen(t *testing.T) {
	for _, c := range []Content{{Status: 502, RequestID: "id"}, {Status: 503, Maintenance: true}} {
		if got := string(c.Append(nil, HTML)); strings.Contains(got, "{{") || !strings.HasSuffix(got, "</html>\n") {
			t.Errorf("got %s", got)
		}
	}
	for _, p := range builtin[:len(builtin)-1] {
		if (Content{Status: 404, Message: "m", RequestID: "id"}).named(p.name) == "" {
			t.Errorf("nothing stands for {{%s}}", p.name)
		}
	}
}

func TestContent_Append_isSmall(t *testing.T) {
	if n := len(Content{Status: 503, RequestID: strings.Repeat("x", 36)}.Append(nil, HTML)); n > 2500 {
		t.Errorf("the page has %d bytes, want at most 2500", n)
	}
}

func BenchmarkContent_Append(b *testing.B) {
	c := Content{Status: 503, RequestID: strings.Repeat("x", 36)}
	for _, form := range []Form{Text, HTML, JSON} {
		b.Run(form.ContentType(), func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 8<<10)
			for b.Loop() {
				buf = c.Append(buf[:0], form)
			}
		})
	}
}
