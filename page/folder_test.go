package page

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// folder makes a folder of files; an empty text makes a folder of that name.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustRead(t *testing.T, dir string) *Set {
	t.Helper()
	set, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestRead_takesOnlyWhatIsUsed(t *testing.T) {
	dir := folder(t, map[string]string{
		"503.html": "<h1>Closed</h1>", "404.html": "<h1>Gone</h1>", "500.html": "",
		"422.html": "{{", "200.html": "{{", "layout.html": "{{", "50x.html": "{{", "503.html.bak": "{{", "5030.html": "{{", "0503.html": "{{",
	})
	if err := os.Mkdir(filepath.Join(dir, "assets"), 0o700); err != nil {
		t.Fatal(err)
	}
	set := mustRead(t, dir)
	if set.Len() != 3 || !set.Has(503) || !set.Has(404) || !set.Has(500) || set.Has(502) {
		t.Errorf("got %d pages", set.Len())
	}
	if body, err := set.Render(Content{Status: 503}); err != nil || string(body) != "<h1>Closed</h1>" {
		t.Errorf("got %q, %v", body, err)
	}
	if body, err := set.Render(Content{Status: 500}); err != nil || len(body) != 0 {
		t.Errorf("an empty page: got %q, %v", body, err)
	}
}

func TestRead_followsLinks(t *testing.T) {
	elsewhere := folder(t, map[string]string{"any.txt": "linked"})
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(elsewhere, "any.txt"), filepath.Join(dir, "502.html")); err != nil {
		t.Fatal(err)
	}
	if body, err := mustRead(t, dir).Render(Content{Status: 502}); err != nil || string(body) != "linked" {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestRead_withoutAFolder(t *testing.T) {
	set := mustRead(t, "")
	if set != nil || set.Has(503) || set.Len() != 0 || !set.Equal(nil) {
		t.Errorf("got %v", set)
	}
}

func TestRead_refuses(t *testing.T) {
	large := strings.Repeat("x", MaxFile+1)
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a syntax error", map[string]string{"503.html": "one\ntwo\n{{if}}"}, "503.html:3: missing value for if"},
		{"an unclosed action", map[string]string{"503.html": "one\n{{.Message"}, "503.html:2: unclosed action"},
		{"a field that there is not", map[string]string{"503.html": "\n\n{{.Nope}}"}, "503.html:3:2: executing"},
		{"a field in a branch", map[string]string{"503.html": "{{if .Message}}\n{{.Nope}}{{end}}"}, "503.html:2:2: executing"},
		{"another template", map[string]string{"503.html": `{{template "layout.html"}}`, "layout.html": "x"}, "503.html:1:11"},
		{"what cannot be escaped", map[string]string{"503.html": "<p>\n<a href='{{if .Message}}'{{end}}>"}, "503.html:2"},
		{"too much output", map[string]string{"503.html": "{{range 3000}}" + large[:1000] + "{{end}}"}, "more than 2048 KiB"},
		{"a large file", map[string]string{"503.html": large}, "larger than 1024 KiB"},
		{"several", map[string]string{"404.html": "{{", "503.html": "{{"}, "503.html:1"},
		{"the first of several", map[string]string{"404.html": "{{", "503.html": "{{"}, "404.html:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, c.files)
			set, err := Read(dir)
			if set != nil || err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v and %v, want %q", set, err, c.want)
			}
			t.Log(err)
		})
	}
	t.Run("a large file that is just small enough", func(t *testing.T) {
		mustRead(t, folder(t, map[string]string{"503.html": large[:MaxFile]}))
	})
	t.Run("a pipe", func(t *testing.T) {
		dir := t.TempDir()
		if err := syscall.Mkfifo(filepath.Join(dir, "503.html"), 0o600); err != nil {
			t.Skip(err)
		}
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "it is no file") {
			t.Errorf("got %v", err)
		}
	})
	file := filepath.Join(folder(t, map[string]string{"503.html": "x"}), "503.html")
	for _, c := range []struct{ name, folder, want string }{
		{"a folder that is gone", "/does/not/exist", `"/does/not/exist": no such file`},
		{"a file", file, "name the folder"},
		{"a relative path", "pages", "not an absolute path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Read(c.folder); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestSet_Equal(t *testing.T) {
	a := mustRead(t, folder(t, map[string]string{"503.html": "a{{.Message}}"}))
	for _, c := range []struct {
		name  string
		files map[string]string
		want  bool
	}{
		{"the same", map[string]string{"503.html": "a{{.Message}}", "other.txt": "x"}, true},
		{"another text", map[string]string{"503.html": "b{{.Message}}"}, false},
		{"another status", map[string]string{"502.html": "a{{.Message}}"}, false},
		{"one more", map[string]string{"502.html": "", "503.html": "a{{.Message}}"}, false},
		{"none", nil, false},
	} {
		if b := mustRead(t, folder(t, c.files)); a.Equal(b) != c.want || b.Equal(a) != c.want {
			t.Errorf("%s: got %v", c.name, !c.want)
		}
	}
	if empty := mustRead(t, t.TempDir()); a.Equal(nil) || (*Set)(nil).Equal(a) || empty.Equal(nil) {
		t.Error("no set equals one")
	}
}

func TestSet_Render_escapesForWhereItStands(t *testing.T) {
	set := mustRead(t, folder(t, map[string]string{
		"503.html": `<p title='{{.Message}}'>{{.Message}}</p><script>var m = {{.Message}}</script>{{.Status}} {{.Title}} {{.RequestID}}`,
	}))
	body, err := set.Render(Content{Status: 503, Message: `</script>'"<b>`, RequestID: "<id>", Maintenance: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<b>", "</script>'", "<id>"} {
		if strings.Contains(string(body), bad) {
			t.Errorf("%q is not escaped in %s", bad, body)
		}
	}
	if !strings.Contains(string(body), "503 Down for maintenance &lt;id&gt;") {
		t.Errorf("got %s", body)
	}
}

func TestSet_Render_neverGivesHalfAPage(t *testing.T) {
	set := mustRead(t, folder(t, map[string]string{
		"502.html": `start {{slice .RequestID 30 36}} end`,
		"503.html": `start {{range 600}}{{$.Message}}{{end}} end`,
	}))
	for _, c := range []Content{
		{Status: 502, RequestID: "short"},
		{Status: 503, Message: strings.Repeat("m", 4096)},
	} {
		if body, err := set.Render(c); err == nil || body != nil {
			t.Errorf("%d: got %d bytes and %v, want an error", c.Status, len(body), err)
		}
	}
}

func TestSet_Render_togetherAndWithoutAllocationWhereConstant(t *testing.T) {
	set := mustRead(t, folder(t, map[string]string{"503.html": "always {{/* note */}}this", "502.html": "{{.RequestID}}"}))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if body, err := set.Render(Content{Status: 502, RequestID: "id"}); err != nil || string(body) != "id" {
					t.Errorf("got %q, %v", body, err)
				}
			}
		})
	}
	all.Wait()
	n := testing.AllocsPerRun(100, func() {
		if body, err := set.Render(Content{Status: 503}); err != nil || string(body) != "always this" {
			t.Fatalf("got %q, %v", body, err)
		}
	})
	if n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}
