package route

import (
	"fmt"
	"math/rand/v2"
	"path"
	"regexp"
	"strings"
	"testing"
)

// The readings once more, from what targets are known to do to a path before they
// look it up: each step is done or not done.
var (
	slashes    = regexp.MustCompile(`/+`)
	parameters = regexp.MustCompile(`;[^/]*`)
	escape     = regexp.MustCompile(`(?i)%[0-9a-f]{2}`)
	notInURI   = regexp.MustCompile(`[^!-~]`)
)

// escapeAll is s as prefixes have it.
func escapeAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

func unescapeOnce(p, but string) string {
	return escape.ReplaceAllStringFunc(p, func(e string) string {
		c := unhex(e[1])<<4 | unhex(e[2])
		if strings.IndexByte(but, c) >= 0 {
			return e
		}
		return string([]byte{c})
	})
}

// resolveDots resolves dot segments and leaves empty ones alone, as RFC 3986
// §5.2.4 does.
func resolveDots(p string) string {
	var kept []string
	list := strings.Split(p, "/")[1:]
	for i, s := range list {
		switch s {
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
		case ".":
		default:
			kept = append(kept, s)
			continue
		}
		if i == len(list)-1 {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}

// readings is what a target may make of p.
func readings(p string) map[string]bool {
	all := map[string]bool{p: true}
	each := func(step func(string) string) {
		for q := range all {
			all[step(q)] = true
		}
	}
	for _, but := range []string{"", "/", `\`, `/\`} {
		once := unescapeOnce(p, but)
		all[once], all[unescapeOnce(once, but)] = true, true
	}
	each(func(q string) string { return strings.ReplaceAll(q, `\`, "/") })
	each(func(q string) string { return parameters.ReplaceAllString(q, "") })
	each(func(q string) string { return slashes.ReplaceAllString(q, "/") })
	each(resolveDots)
	each(path.Clean)
	return all
}

// oddPath is a path of the pieces that readings differ in.
func oddPath(random *rand.Rand) string {
	var b strings.Builder
	for range 1 + random.IntN(6) {
		b.WriteString(pick(random, "/", "/", "/", "/", "//", "%2f", "%2F", "%5c", "%252f", ""))
		b.WriteString(pick(random, "a", "b", "c", "a", "b", "..", ".", "%2e%2E", "%2e.", "..;x=1", ";x", "a;x", "", "%61", "%2561", "%252e%252e", "x%2fy", "x%5cy", ".a", "a%20", "%3B", "%"))
	}
	return "/" + strings.TrimLeft(b.String(), "/")
}

// checkReadings checks that a path that agrees leads to one entry however it is
// read. Of what is no URI (RFC 3986 §2) it says nothing: no request has it.
func checkReadings(t *testing.T, list []Entry[string], indexed *Table[string], host, p string) {
	t.Helper()
	if !indexed.Agrees([]byte(host), []byte(p)) || notInURI.MatchString(p) {
		return
	}
	want, wantOK := linear(list, host, p)
	_, prefix, _ := indexed.Match([]byte(host), []byte(p))
	if below := strings.TrimPrefix(p, prefix); prefix != "/" && below != "" && resolveDots(p) != prefix+resolveDots(below) {
		t.Fatalf("%q is %q without its prefix, which is resolved to %q", p, below, resolveDots(below))
	}
	for reading := range readings(p) {
		if !strings.HasPrefix(reading, "/") {
			continue
		}
		if got, ok := linear(list, host, notInURI.ReplaceAllStringFunc(reading, escapeAll)); got != want || ok != wantOK {
			t.Fatalf("%q goes to %q, but read as %q it belongs to %q, of %v", p, want, reading, got, list)
		}
	}
}

func TestTable_Agrees_onlyWhenEveryReadingLeadsToOneRoute(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	accepted := 0
	for range 40 {
		list := entries(pick(random, "x/", "x/a/b", "x/c"), "x/a", "x/b", pick(random, "*/", "*/a/a", "x/b/a"))
		indexed, err := NewTable(list)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for range 50 {
			p := oddPath(random)
			checkReadings(t, list, indexed, "x", p)
			if indexed.Agrees([]byte("x"), []byte(p)) {
				accepted++
			}
		}
	}
	if accepted < 200 {
		t.Errorf("only %d of 2000 paths agree: too strict to say anything", accepted)
	}
}

func TestTable_Agrees_toEveryPathOfAHostWithOneRoute(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	routes := table(t, "x/", "*.y/", "y/a", "*/b")
	for _, host := range []string{"x", "X.:80", "q.y"} {
		for range 1000 {
			if p := oddPath(random); !routes.Agrees([]byte(host), []byte(p)) {
				t.Fatalf("%s%s does not agree, though all paths lead to one route", host, p)
			}
		}
	}
}

func TestTable_Agrees_toUsualPathsBesideOtherRoutes(t *testing.T) {
	routes := table(t, "x/", "x/api", "x/admin")
	for _, p := range []string{
		"/", "/users/1//posts", "/files/a%2Fb%2Fc", "/proxy/https:%2F%2Fexample.com%2Fadmin", "/cars;color=red/x",
		"/k%c3%a4se", "/100%25", "/100%2525", "/a%5Cb", "/.well-known/x", "/x/./y/../z", "/search/a%3Fb", "/%", "/%zz",
		"/api/users%2F1", "/api/a/../b", "/api/a/b/../../c", "/api//users", "/api/v1;x=1/y",
		"/" + strings.Repeat("x.png%2Fy/", 3000), "/api/" + strings.Repeat("%c3%a9", 10000),
	} {
		if !routes.Agrees([]byte("x"), []byte(p)) {
			t.Errorf("%.60q does not agree", p)
		}
	}
}

func TestTable_Agrees_refusesWhatOneReadingOnlyLeadsElsewhere(t *testing.T) {
	routes := table(t, "x/", "x/admin", "x/public")
	for _, p := range []string{
		"/public/x%2Fy/../../admin", "/public/x%5Cy/../../admin", // one segment or two
		"/%2561dmin", "/%252561dmin", "/public/%252e%252e/admin", "/public/..%252fadmin", // encoded twice
		"//admin/..", "/x//../admin", "/admin/../x", "/x/..//admin", // resolved or not
		"/admin;x=1", "/admin%3Bx", "/admin%3fx", "/admin%23x", "/;/admin", "/public;/../admin", // parameters, queries
		"/public/a/../../public/x", "/public/..%2fpublic/x", "/public/.%2e/public", // out of the prefix and back
		"/admin/%2e%2e;/x", "/%5Cadmin", "/%2Fadmin", "/x%2F..%2Fadmin",
		"/" + strings.Repeat("a;%2f%5c%252e/", 1000), // too many readings to try
	} {
		if routes.Agrees([]byte("x"), []byte(p)) {
			t.Errorf("%.60q agrees", p)
		}
	}
}
