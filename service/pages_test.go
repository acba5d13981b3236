package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upfront/api"
	"upfront/page"
)

func writePage(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// painted is a spec with error pages.
func painted(folder string) api.Spec {
	spec := quick("a.example.com")
	spec.ErrorPages = folder
	return spec
}

// show is the page for 503 that requests of a service get; "" is the built-in one.
func show(t *testing.T, r *Registry, name string) string {
	t.Helper()
	set := r.published(name).ErrorPages
	if !set.Has(503) {
		return ""
	}
	body, err := set.Render(page.Content{Status: 503})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func wantPage(t *testing.T, r *Registry, name, want, problem string) {
	t.Helper()
	if got := show(t, r, name); got != want {
		t.Errorf("page: got %q, want %q", got, want)
	}
	info, _ := r.Service(name)
	if (info.Problem == "") != (problem == "") || !strings.Contains(info.Problem, problem) {
		t.Errorf("problem: got %q, want %q", info.Problem, problem)
	}
}

func TestRegistry_Deploy_readsErrorPagesOnce(t *testing.T) {
	r := newTestRegistry(t)
	a, b := startApp(t, 200), startApp(t, 200)
	folder := filepath.Join(t.TempDir(), "pages")
	writePage(t, folder, "503.html", "one")
	mustDeploy(t, r, "web", painted(folder), a)
	wantPage(t, r, "web", "one", "")
	writePage(t, folder, "503.html", "two")
	if _, err := r.Add(t.Context(), "web", api.AddRequest{Target: at(b)[0]}, nil); err != nil {
		t.Fatal(err)
	}
	wantPage(t, r, "web", "one", "")
	if _, err := r.Remove(t.Context(), "web", api.RemoveRequest{Target: a.address}, nil); err != nil {
		t.Fatal(err)
	}
	wantPage(t, r, "web", "one", "")
	mustDeploy(t, r, "web", painted(folder), a)
	wantPage(t, r, "web", "two", "")
	mustDeploy(t, r, "web", quick("a.example.com"), a)
	wantPage(t, r, "web", "", "")
}

func TestRegistry_Deploy_refusesErrorPages(t *testing.T) {
	r := newTestRegistry(t)
	a, b := startApp(t, 200), startApp(t, 200)
	folder := filepath.Join(t.TempDir(), "pages")
	writePage(t, folder, "503.html", "good")
	mustDeploy(t, r, "web", painted(folder), a)
	bad := filepath.Join(t.TempDir(), "bad")
	writePage(t, bad, "503.html", "<p>\n{{.Message</p>")
	for _, c := range []struct{ name, folder, want string }{
		{"a page with a mistake", bad, bad + "/503.html:2: "},
		{"a folder that is gone", bad + "/none", "no such file"},
		{"a relative path", "pages", "absolute path"},
	} {
		before := b.probes.Load()
		_, err := r.Deploy(t.Context(), "web", request(painted(c.folder), b), nil)
		if e := wantCode(t, err, api.CodeInvalid); e.Flag != "--error-pages" || !strings.Contains(e.Message, c.want) || strings.Contains(e.Message, "\n") {
			t.Errorf("%s: got %+v, want %q", c.name, e, c.want)
		}
		if b.probes.Load() != before {
			t.Errorf("%s: the new target was probed", c.name)
		}
		wantTargets(t, r, "web", a)
		wantPage(t, r, "web", "good", "")
	}
}

func TestRegistry_errorPagesThatAreGoneCostOnlyThePages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	r, stop := startRegistry(t, Options{StatePath: path})
	a, b := startApp(t, 200), startApp(t, 200)
	folder := filepath.Join(t.TempDir(), "pages")
	writePage(t, folder, "503.html", "one")
	mustDeploy(t, r, "web", painted(folder), a)
	if err := os.Rename(folder, folder+".away"); err != nil {
		t.Fatal(err)
	}
	stop()

	r, stop = startRegistry(t, Options{StatePath: path})
	if match(r, "a.example.com") != "web" || r.StateStatus().Problem != "" {
		t.Errorf("got %+v, want the service to be served", r.StateStatus())
	}
	wantPage(t, r, "web", "", "built-in error pages are used: read folder of error pages "+`"`+folder)
	// A rollback to it works all the same.
	mustDeploy(t, r, "web", quick("a.example.com"), b)
	wantPage(t, r, "web", "", "")
	if _, err := r.Rollback(t.Context(), "web", api.RollbackRequest{}, nil); err != nil {
		t.Errorf("rollback: %v", err)
	}
	wantPage(t, r, "web", "", "built-in error pages are used")
	stop()

	if err := os.Rename(folder+".away", folder); err != nil {
		t.Fatal(err)
	}
	r, _ = startRegistry(t, Options{StatePath: path})
	wantPage(t, r, "web", "one", "")
}

func TestRegistry_Deploy_saysThatAFolderHasNoPage(t *testing.T) {
	r := newTestRegistry(t)
	folder := t.TempDir()
	writePage(t, folder, "503.htm", "a slip")
	mustDeploy(t, r, "web", painted(folder), startApp(t, 200))
	wantPage(t, r, "web", "", "none that is named like 503.html")
}

func TestRegistry_Apply_readsErrorPagesAnew(t *testing.T) {
	r := newTestRegistry(t)
	a, b := startApp(t, 200), startApp(t, 200)
	folder := filepath.Join(t.TempDir(), "pages")
	writePage(t, folder, "503.html", "one")
	web := declare("web", painted(folder), a)
	if err := web.CheckPages(); err != nil {
		t.Error(err)
	}
	mustApply(t, r, web)
	wantPage(t, r, "web", "one", "")
	first := r.published("web")
	mustApply(t, r, web)
	if r.published("web") != first {
		t.Error("a service whose pages did not change was replaced")
	}
	writePage(t, folder, "503.html", "two")
	mustApply(t, r, web)
	wantPage(t, r, "web", "two", "")
	if second := r.published("web"); second.members[0] != first.members[0] {
		t.Error("the target was replaced for a page")
	}

	writePage(t, folder, "503.html", "{{")
	if err := web.CheckPages(); err == nil || !strings.Contains(err.Error(), "503.html:1: ") {
		t.Errorf("check: got %v", err)
	}
	mustApply(t, r, web) // whoever may refuse it has asked CheckPages
	wantPage(t, r, "web", "", "503.html:1: ")
	writePage(t, folder, "503.html", "three")
	mustApply(t, r, web)
	wantPage(t, r, "web", "three", "")

	// Without targets in the file the pages stay the file's, whatever a deploy says.
	web.Targets = nil
	mustApply(t, r, web)
	mustDeploy(t, r, "web", quick("a.example.com"), b)
	wantTargets(t, r, "web", b)
	wantPage(t, r, "web", "three", "")
}
