package route

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// table makes a table of routes written as "host/prefix", "*" being any host; the
// value is the route as it was written.
func table(t testing.TB, routes ...string) *Table[string] {
	t.Helper()
	made, err := NewTable(entries(routes...))
	if err != nil {
		t.Fatalf("NewTable(%q): %v", routes, err)
	}
	return made
}

func entries(routes ...string) []Entry[string] {
	list := make([]Entry[string], len(routes))
	for i, written := range routes {
		host, prefix, _ := strings.Cut(written, "/")
		if host == "*" {
			host = ""
		}
		list[i] = Entry[string]{Route: Route{Host: host, PathPrefix: "/" + prefix}, Value: written}
	}
	return list
}

func TestTable_Match(t *testing.T) {
	hosts := table(t, "example.com/", "*.example.com/", "::1/", "10.0.0.1/", "*/")
	paths := table(t, "a/", "a/api", "a/api/v2", "a/long/er/still", "b/only", "*.c/x", "d.c/y", "*/x", "*/api")
	noDefault := table(t, "a/api")
	for _, test := range []struct {
		name       string
		table      *Table[string]
		host, path string
		want       string // "" for none
	}{
		{"exact host", hosts, "example.com", "/", "example.com/"},
		{"upper case", hosts, "EXAMPLE.Com", "/", "example.com/"},
		{"port", hosts, "example.com:8080", "/", "example.com/"},
		{"empty port", hosts, "example.com:", "/", "example.com/"},
		{"trailing dot", hosts, "example.com.", "/", "example.com/"},
		{"trailing dot and port", hosts, "Example.com.:80", "/", "example.com/"},
		{"wildcard", hosts, "a.example.com", "/", "*.example.com/"},
		{"wildcard in upper case with port", hosts, "A.EXAMPLE.com:1", "/", "*.example.com/"},
		{"wildcard is one level", hosts, "a.b.example.com", "/", "*/"},
		{"wildcard needs a label", hosts, ".example.com", "/", "*/"},
		{"suffix of a label", hosts, "notexample.com", "/", "*/"},
		{"IPv6", hosts, "[::1]", "/", "::1/"},
		{"IPv6 with port", hosts, "[::1]:8080", "/", "::1/"},
		{"IPv6 without brackets", hosts, "::1", "/", "::1/"},
		{"IPv6 never closed", hosts, "[::1", "/", "*/"},
		{"IPv4", hosts, "10.0.0.1:80", "/", "10.0.0.1/"},
		{"no host", hosts, "", "/", "*/"},
		{"too long", hosts, strings.Repeat("a", 300), "/", "*/"},
		{"too long for a wildcard", hosts, strings.Repeat("a", 250) + ".example.com", "/", "*/"},
		{"asterisk path", hosts, "example.com", "*", "example.com/"},
		{"empty path", hosts, "example.com", "", "example.com/"},

		{"root", paths, "a", "/", "a/"},
		{"prefix itself", paths, "a", "/api", "a/api"},
		{"below a prefix", paths, "a", "/api/x", "a/api"},
		{"with a slash at the end", paths, "a", "/api/", "a/api"},
		{"segment boundary", paths, "a", "/apix", "a/"},
		{"case matters in paths", paths, "a", "/API", "a/"},
		{"longest", paths, "a", "/api/v2/x/y/z", "a/api/v2"},
		{"not quite the longest", paths, "a", "/api/v20", "a/api"},
		{"middle of a longer prefix", paths, "a", "/long/er", "a/"},
		{"falls back to any host", paths, "b", "/x/1", "*/x"},
		{"prefix on its host first", paths, "b", "/only/x", "b/only"},
		{"none at all", paths, "b", "/", ""},
		{"falls back to the wildcard", paths, "d.c", "/x", "*.c/x"},
		{"falls back two buckets", paths, "d.c", "/api", "*/api"},
		{"unknown host without default", noDefault, "b", "/api", ""},
		{"zero table", &Table[string]{}, "a", "/", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, prefix, ok := test.table.Match([]byte(test.host), []byte(test.path))
			if got != test.want || ok != (test.want != "") {
				t.Fatalf("Match(%q, %q): got %q, %v, want %q", test.host, test.path, got, ok, test.want)
			}
			if ok && !strings.HasSuffix(test.want, prefix) || !ok && prefix != "" {
				t.Errorf("Match(%q, %q): got prefix %q of %q", test.host, test.path, prefix, test.want)
			}
		})
	}
}

func TestNewTable_refusesTwoOfOneRoute(t *testing.T) {
	for _, routes := range [][]string{
		{"a/", "b/", "a/"},
		{"a/x", "a/", "a/x"},
		{"*/", "*/x", "*/"},
		{"*.a/", "a/", "*.a/"},
	} {
		_, err := NewTable(entries(routes...))
		var conflict *ConflictError
		if !errors.As(err, &conflict) {
			t.Errorf("%q: got %v, want a ConflictError", routes, err)
			continue
		}
		if conflict.First != 0 || conflict.Second != 2 || conflict.Route.String() != routes[0] {
			t.Errorf("%q: got %q of entries %d and %d, want %q of 0 and 2",
				routes, conflict.Route, conflict.First, conflict.Second, routes[0])
		}
		if got := conflict.Error(); !strings.Contains(got, routes[0]) {
			t.Errorf("%q: the error does not name the route: %s", routes, got)
		}
	}
}

func TestNewTable_refusesWhatNoRequestMatches(t *testing.T) {
	for _, bad := range []Route{
		{Host: "Example.com", PathPrefix: "/"},
		{Host: "example.com:80", PathPrefix: "/"},
		{Host: "[::1]", PathPrefix: "/"},
		{Host: "example.com", PathPrefix: ""},
		{Host: "example.com", PathPrefix: "/api/"},
		{Host: "example.com", PathPrefix: "api"},
		{Host: "example.com", PathPrefix: "/a/../b"},
	} {
		if _, err := NewTable([]Entry[int]{{Route: bad}}); err == nil {
			t.Errorf("NewTable with %+v: got no error", bad)
		}
	}
}

func TestTable_Agrees(t *testing.T) {
	routes := table(t, "a/", "a/admin", "a/public", "b/")
	for _, test := range []struct {
		host, path string
		want       bool
	}{
		{"a", "/public/x", true},
		{"a", "/public/../admin", false},
		{"a", "/public/%2e%2E/admin", false},
		{"a", "/public/..;/admin", false},
		{"a", "/public/..%2fadmin", false},
		{"a", `/public/..\admin`, false},
		{"a", "/public/..%5cadmin", false},
		{"a", "//admin", false},
		{"a", "/./admin", false},
		{"a", "/%61dmin", false},
		{"a", "/admin%2fx", false},
		{"a", "/public/..", false},
		{"a", "/public/.hidden", true},
		{"a", "/public//x", true},
		{"a", "/public/a/../x", true},
		{"a", "/.well-known/x", true},
		{"a", "/x/..", true},
		{"b", "/public/../admin", true}, // one route: nothing to confuse
	} {
		if got := routes.Agrees([]byte(test.host), []byte(test.path)); got != test.want {
			t.Errorf("Agrees(%q, %q): got %v, want %v", test.host, test.path, got, test.want)
		}
	}
}

func TestTable_Match_allocatesNothing(t *testing.T) {
	routes := table(t, "example.com/", "*.example.com/api/v2", "*/x", "two.com/", "two.com/x")
	requests := [][2][]byte{
		{[]byte("example.com"), []byte("/some/path")},
		{[]byte("WWW.Example.com.:8080"), []byte("/api/v2/x")},
		{[]byte("unknown"), []byte("/x/y/z")},
		{[]byte("unknown"), []byte("/none")},
		{[]byte("example.com"), []byte("/a/../b/%2e%2e//c")},
		{[]byte("two.com"), []byte("/a/../b/%2e%2e//c;d%25%32%65%2f")},
	}
	got := testing.AllocsPerRun(1000, func() {
		for _, request := range requests {
			routes.Match(request[0], request[1])
			routes.Agrees(request[0], request[1])
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

// linear is the definition of Match, said as plainly as can be.
func linear(list []Entry[string], host, path string) (value string, ok bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	_, parent, hasParent := strings.Cut(host, ".")
	buckets := []string{host, "", ""}
	if hasParent && !strings.HasPrefix(host, ".") {
		buckets[1] = "*." + parent
	}
	for i, bucket := range buckets {
		longest := -1
		if bucket == "" && i < 2 {
			continue
		}
		for _, entry := range list {
			prefix := entry.Route.PathPrefix
			within := prefix == "/" || path == prefix || strings.HasPrefix(path, prefix+"/")
			if entry.Route.Host == bucket && within && len(prefix) > longest {
				longest, value, ok = len(prefix), entry.Value, true
			}
		}
		if ok {
			return value, true
		}
	}
	return "", false
}

func pick(random *rand.Rand, list ...string) string { return list[random.IntN(len(list))] }

func randomPath(random *rand.Rand) string {
	var path strings.Builder
	for range random.IntN(5) {
		path.WriteString("/" + pick(random, "a", "b", "aa", "ab", "c", ""))
	}
	return path.String()
}

func randomEntries(random *rand.Rand) []Entry[string] {
	var routes []string
	seen := make(map[string]bool)
	for range random.IntN(30) {
		prefix := "/" + strings.Trim(strings.ReplaceAll(randomPath(random), "//", "/"), "/")
		written := pick(random, "*", "x", "y.x", "*.x", "*.y.x", "z.y.x") + prefix
		if _, err := ParsePathPrefix(prefix); err == nil && !seen[written] {
			seen[written] = true
			routes = append(routes, written)
		}
	}
	return entries(routes...)
}

func TestTable_Match_agreesWithALinearSearch(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		list := randomEntries(random)
		indexed, err := NewTable(list)
		if err != nil {
			t.Fatalf("seed %d: NewTable(%v): %v", seed, list, err)
		}
		for range 20 {
			host := pick(random, "x", "X", "y.x", "Y.x.", "z.y.x", "q.x", "q.y.x", "q", "", ".x")
			path := randomPath(random)
			got, _, ok := indexed.Match([]byte(host), []byte(path))
			want, wantOK := linear(list, host, path)
			if got != want || ok != wantOK {
				t.Fatalf("seed %d: Match(%q, %q) in %v: got %q, %v, want %q, %v", seed, host, path, list, got, ok, want, wantOK)
			}
		}
	}
}

func FuzzTable_Match(f *testing.F) {
	list := entries("a/", "a/api", "a/api/v2", "*.a/x", "b.a/", "*/x/y", "::1/", "*/%C3%A4")
	indexed := table(f, "a/", "a/api", "a/api/v2", "*.a/x", "b.a/", "*/x/y", "::1/", "*/%C3%A4")
	f.Add("A.:80", "/api/v2/x")
	f.Add("[::1]:80", "//x/../y")
	f.Add("c.a", "/x/%2e%2e/%c3%a4")
	f.Fuzz(func(t *testing.T, host, path string) {
		value, prefix, ok := indexed.Match([]byte(host), []byte(path))
		if ok && prefix != "/" && path != prefix && !strings.HasPrefix(path, prefix+"/") {
			t.Errorf("Match(%q, %q): prefix %q is not one", host, path, prefix)
		}
		if !strings.ContainsAny(host, "[:") && len(host) <= maxHost && isASCII(host) {
			if want, wantOK := linear(list, host, path); value != want || ok != wantOK {
				t.Errorf("Match(%q, %q): got %q, want %q", host, path, value, want)
			}
		}
		plain := AppendPlain(nil, []byte(path))
		if IsPlain([]byte(path)) && string(plain) != path && strings.HasPrefix(path, "/") {
			t.Errorf("IsPlain(%q), but its plain form is %q", path, plain)
		}
		if strings.HasPrefix(path, "/") && !strings.ContainsAny(host, "[:") && len(host) <= maxHost && isASCII(host) {
			checkReadings(t, list, indexed, host, path)
		}
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7f }) < 0
}

// manyServices has one host for each, as a large machine does.
func manyServices(n int) []Entry[int] {
	list := make([]Entry[int], n)
	for i := range list {
		list[i] = Entry[int]{Route: Route{Host: fmt.Sprintf("app-%d.example.com", i), PathPrefix: "/"}, Value: i}
	}
	return list
}

func manyPrefixes(n int) []Entry[int] {
	list := make([]Entry[int], n)
	for i := range list {
		list[i] = Entry[int]{Route: Route{Host: "example.com", PathPrefix: fmt.Sprintf("/tenant/%d", i)}, Value: i}
	}
	return list
}

func BenchmarkTable_Match(b *testing.B) {
	for _, shape := range []struct {
		name       string
		make       func(n int) []Entry[int]
		host, path string
	}{
		{"hosts", manyServices, "app-7.example.com", "/users/1/posts"},
		{"hosts/folded", manyServices, "App-7.Example.com:443", "/users/1/posts"},
		{"prefixes", manyPrefixes, "example.com", "/tenant/7/posts"},
	} {
		for _, n := range []int{10, 10_000} {
			b.Run(fmt.Sprintf("%s/services=%d", shape.name, n), func(b *testing.B) {
				routes, err := NewTable(shape.make(n))
				if err != nil {
					b.Fatal(err)
				}
				host, path := []byte(shape.host), []byte(shape.path)
				b.ReportAllocs()
				for b.Loop() {
					if value, _, _ := routes.Match(host, path); value != 7 {
						b.Fatalf("got %d, want 7", value)
					}
				}
			})
		}
	}
}

func BenchmarkTable_Agrees(b *testing.B) {
	routes := table(b, "example.com/", "example.com/api")
	for name, path := range map[string]string{"plain": "/assets/application-5f3a.js", "unusual": "/assets/../api//x%2fy", "odd": "/assets/../b/%2e%2e//c;d%25%32%65%2f"} {
		b.Run(name, func(b *testing.B) {
			host, path := []byte("example.com"), []byte(path)
			b.ReportAllocs()
			for b.Loop() {
				routes.Agrees(host, path)
			}
		})
	}
}

func BenchmarkNewTable(b *testing.B) {
	list := manyServices(10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewTable(list); err != nil {
			b.Fatal(err)
		}
	}
}
