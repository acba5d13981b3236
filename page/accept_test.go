package page

import "testing"

func TestAccept_Best(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  Form // when nothing of ours takes precedence
		// custom is what is chosen beside a page of a folder.
		custom Form
	}{
		{"no Accept", nil, Text, HTML},
		{"an empty one", []string{""}, Text, HTML},
		{"curl, wget, fetch", []string{"*/*"}, Text, HTML},
		{"a browser", []string{"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}, HTML, HTML},
		{"an image", []string{"image/avif,image/webp,*/*;q=0.8"}, Text, HTML},
		{"axios", []string{"application/json, text/plain, */*"}, JSON, JSON},
		{"jQuery", []string{"application/json, text/javascript, */*; q=0.01"}, JSON, JSON},
		{"old Java", []string{"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"}, HTML, HTML},
		{"JSON alone", []string{"application/json"}, JSON, JSON},
		{"any case", []string{"Application/JSON"}, JSON, JSON},
		{"a kind of JSON", []string{"application/vnd.api+json"}, JSON, JSON},
		{"JSON wins by weight", []string{"text/html;q=0.8, application/json;q=0.9"}, JSON, JSON},
		{"HTML wins by weight", []string{"application/json;q=0.899, text/html;q=0.9"}, HTML, HTML},
		{"equals", []string{"application/json, text/html"}, HTML, HTML},
		{"plain text", []string{"text/plain"}, Text, Text},
		{"plain text before HTML", []string{"text/plain, text/html;q=0.9"}, Text, Text},
		{"any text", []string{"text/*"}, Text, HTML},
		{"any application", []string{"application/*"}, JSON, JSON},
		{"a type beats anything", []string{"*/*, application/*"}, JSON, JSON},
		{"a wildcard beats a lower weight", []string{"text/html;q=0.5, */*"}, Text, Text},
		{"the specific range decides", []string{"text/*;q=1, text/html;q=0.1, application/json;q=0.5, text/plain;q=0"}, JSON, JSON},
		{"in any order", []string{"text/plain;q=0, text/html;q=0.1, application/json;q=0.5, text/*;q=1"}, JSON, JSON},
		{"without a parameter is more specific", []string{"text/html;level=1, text/html;q=0.2, application/json;q=0.3"}, JSON, JSON},
		{"a parameter alone", []string{"text/html;level=1"}, HTML, HTML},
		{"the higher of two weights", []string{"text/html;q=0.2, application/json;q=0.3, text/html;q=0.4"}, HTML, HTML},
		{"not HTML", []string{"text/html;q=0, */*"}, Text, Text},
		{"neither text nor HTML", []string{"text/*;q=0, */*;q=0.1"}, JSON, JSON},
		{"refused, nothing else named", []string{"text/html;q=0.000"}, Text, Text},
		{"everything refused", []string{"*/*;q=0"}, Text, HTML},
		{"nothing that we have", []string{"image/png"}, Text, HTML},
		{"several lines", []string{"image/png", "application/json;q=0.5", "text/html;q=0.6"}, HTML, HTML},
		{"q in capitals, blanks and tabs", []string{"text/html \t;\tQ=0.1 ,\t application/json ; q=0.2"}, JSON, JSON},
		{"a comma in quotes", []string{`text/html;a="b,c;q=0";q=0.1, application/json;q=0.2`}, JSON, JSON},
		{"an escaped quote", []string{`text/html;a="b\",c";q=0.1, application/json;q=0.2`}, JSON, JSON},
		{"what extends the entry", []string{"text/html;q=0.1;ext=2, application/json;q=0.2;ext"}, JSON, JSON},
		{"empty entries", []string{",, ,application/json,"}, JSON, JSON},
		{"empty parameters", []string{"application/json; ;q=0.9;"}, JSON, JSON},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a Accept
			for _, line := range c.lines {
				a.Add([]byte(line))
			}
			if got := a.Best(Text); got != c.want {
				t.Errorf("got %s, want %s", got.ContentType(), c.want.ContentType())
			}
			if got := a.Best(HTML); got != c.custom {
				t.Errorf("beside a page of a folder: got %s, want %s", got.ContentType(), c.custom.ContentType())
			}
		})
	}
}

func TestAccept_ignoresWhatIsMalformed(t *testing.T) {
	for _, entry := range []string{
		"text", "html", "/", "/html", "text/", "text/html/x", "te xt/html", "text /html", "text/ html", "*/html", "*",
		"text/html;q=2", "text/html;q=1.001", "text/html;q=0.1234", "text/html;q=-1", "text/html;q=.5", "text/html;q=a",
		"text/html;q=", "text/html;q", "text/html;q =1", "text/html;q= 1", `text/html;q="1"`, "text/html;q=01",
		"text/html;=1", "text/html;a=", "text/html;a b=c", `text/html;a="b`, "text/html\x00", "text/h\xe9tml", "text/html;q=1 x",
	} {
		var a Accept
		a.Add([]byte("application/json;q=0.1, " + entry))
		if got := a.Best(Text); got != JSON {
			t.Errorf("%q: got %s, want it ignored", entry, got.ContentType())
		}
	}
}

func TestAccept_allocatesNothing(t *testing.T) {
	line := []byte(`text/html;a="b,c", application/xhtml+xml, application/json;q=0.9, */*;q=0.8`)
	n := testing.AllocsPerRun(100, func() {
		var a Accept
		a.Add(line)
		if a.Best(Text) != HTML {
			t.Fatal("not HTML")
		}
	})
	if n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

func FuzzAccept(f *testing.F) {
	f.Add([]byte("text/html,application/json;q=0.9"))
	f.Add([]byte(`text/html;a="\`))
	f.Add([]byte(`;;q=1,*/*;q=0.`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var a Accept
		a.Add(line)
		if got := a.Best(Text); got >= forms {
			t.Errorf("got form %d", got)
		}
	})
}
