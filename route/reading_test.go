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

// understood is what a target may make of p: it decodes not at all, once or twice,
// each time all of the path or all but slashes, and before and behind it does some
// of what else targets do.
func understood(p string) map[string]bool {
	all := map[string]bool{p: true}
	each := func(steps ...func(string) string) {
		for q := range all {
			for _, step := range steps {
				all[step(q)] = true
			}
		}
	}
	tidy := func() {
		each(func(q string) string { return parameters.ReplaceAllString(q, "") })
		each(func(q string) string { return strings.ReplaceAll(q, `\`, "/") })
		each(func(q string) string { return parameters.ReplaceAllString(q, "") })
		each(func(q string) string { return slashes.ReplaceAllString(q, "/") })
		each(resolveDots)
		each(path.Clean)
	}
	tidy()
	for range 2 {
		each(func(q string) string { return unescapeOnce(q, "") }, func(q string) string { return unescapeOnce(q, "/") })
		each(func(q string) string { return q[:strings.IndexAny(q+"?", "?#")] })
		tidy()
	}
	return all
}

// oddPath is a path of the pieces that readings differ in.
func oddPath(random *rand.Rand) string {
	var b strings.Builder
	for range 1 + random.IntN(6) {
		b.WriteString(pick(random, "/", "/", "/", "/", "//", "%2f", "%2F", "%5c", "%252f", "%25%32%66", ""))
		b.WriteString(pick(random, "a", "b", "c", "a", "b", "..", ".", "%2e%2E", "%2e.", "..;x=1", ";x", "a;x", "", "%61", "%2561", "%252e%252e", "x%2fy", "x%5cy", ".a", "a%20", "%3B", "%",
			"%25%32%65%25%32%65", "%%32%65%%32e", "%25%36%31", "..;%3f", "..;%23", "%3f", "%25"))
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
	for reading := range understood(p) {
		if !strings.HasPrefix(reading, "/") {
			continue
		}
		if got, ok := linear(list, host, notInURI.ReplaceAllStringFunc(reading, escapeAll)); got != want || ok != wantOK {
			t.Fatalf("%q goes to %q, but read as %q it belongs to %q, of %v", p, want, reading, got, list)
		}
	}
}

// decodings is p, and what one and two decodings of all of it leave.
func decodings(p string) [3]string {
	once := unescapeOnce(p, "")
	return [...]string{p, once, unescapeOnce(once, "")}
}

func TestTable_Agrees_neverToDotsOrNamesHiddenInDecodings(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	routes := table(t, "x/", "x/admin", "x/api")
	hide := func(s string) string { // each byte escaped or not, and each byte of that again
		var hidden strings.Builder
		for range 2 {
			hidden.Reset()
			for i := range len(s) {
				hidden.WriteString(pick(random, s[i:i+1], fmt.Sprintf("%%%02x", s[i]), fmt.Sprintf("%%%02X", s[i])))
			}
			s = hidden.String()
		}
		return s
	}
	for range 5000 {
		p := "/" + pick(random, "", "x/", "api/") + hide(pick(random, "../admin", "admin/u", "..;?/admin", `..\admin`, "./..//admin", "a/../b"))
		want, _, _ := routes.Match([]byte("x"), []byte(p))
		for _, decoded := range decodings(p) {
			decoded = parameters.ReplaceAllString(strings.ReplaceAll(decoded, `\`, "/"), "")
			got, _, _ := routes.Match([]byte("x"), []byte(path.Clean(decoded)))
			if got != want && routes.Agrees([]byte("x"), []byte(p)) {
				t.Fatalf("seed %d: %q agrees, but goes to %q and is decoded to %q of %q", seed, p, want, decoded, got)
			}
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
		"/public/%25%32%65%25%32%65/admin/u", "/public/%252%65%252%65/admin/u", "/public/%25%32e%25%32e/admin", // its digits, too
		"/%25%36%31dmin/u", "/public%25%32%66..%25%32%66admin", "/public/%25%32%65%25%32%65/admin",
		"/x/%%32%65%%32%65/admin/u", "/%%36%31dmin", "/x/%%32e%%32e/admin", "/x/%2%65%2%65/admin", // a bare percent sign in front
		"/%2525%32%35%36%31dmin", "/%25%2532%2535%2536%2531dmin", // three and four times
		"/x%2F..;%3f/admin/u", "/x%5c..;%23/admin", "/x%2F..;/admin/u", "/x/..;%2f/../admin", "/x;%2f/../admin", // parameters cut first
		"/x/%2e%2e%3bx=1/admin", "/admin/%2e%2e%253f", "/admin%253fx", "/admin%25%32%33",
		"/" + strings.Repeat("a;%2f%5c%252e/", 1000), // too many readings to try
	} {
		if routes.Agrees([]byte("x"), []byte(p)) {
			t.Errorf("%.60q agrees", p)
		}
	}
}
