package upfront_test

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"upfront/config"
)

// readmeLines is how long the README may be; what does not fit belongs in docs/.
const readmeLines = 200

var (
	linkPattern    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	filePattern    = regexp.MustCompile("`([a-z0-9_/]+/[a-z0-9_]+\\.go)`")
	flagPattern    = regexp.MustCompile(`(?:^|[^a-z-])--([a-z][a-z-]*[a-z])`)
	headingPattern = regexp.MustCompile(`^#{1,6} +(.*)$`)
	slugDropped    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	otherWords     = regexp.MustCompile(`(?i)\b(backends?|upstreams?|endpoints?)\b`)
)

// page is one Markdown file without its code blocks.
type page struct {
	path  string
	lines []string // a line of a code block is empty
	slugs map[string]bool
}

func TestDocs_linksLeadSomewhere(t *testing.T) {
	pages := readPages(t)
	for _, p := range pages {
		for number, line := range p.lines {
			for _, m := range linkPattern.FindAllStringSubmatch(line, -1) {
				if problem := checkLink(pages, p, m[1]); problem != "" {
					t.Errorf("%s:%d: link %q: %s", p.path, number+1, m[1], problem)
				}
			}
		}
	}
}

// checkLink returns what is wrong with a link, "" when nothing is. Links to
// other sites are not followed.
func checkLink(pages map[string]page, from page, link string) string {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return ""
	}
	file, slug, _ := strings.Cut(link, "#")
	path := from.path
	if file != "" {
		path = filepath.Join(filepath.Dir(from.path), file)
		if _, err := os.Stat(path); err != nil {
			return "no such file"
		}
	}
	if slug != "" && !pages[path].slugs[slug] {
		return "no such heading in " + path
	}
	return ""
}

// A file that the text names, such as proxy/server.go, exists.
func TestDocs_namedFilesExist(t *testing.T) {
	for _, p := range readPages(t) {
		for number, line := range p.lines {
			for _, m := range filePattern.FindAllStringSubmatch(line, -1) {
				if _, err := os.Stat(m[1]); err != nil {
					t.Errorf("%s:%d: no file %s", p.path, number+1, m[1])
				}
			}
		}
	}
}

func TestDocs_readmeIsShort(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(data), "\n"); got > readmeLines {
		t.Errorf("README.md has %d lines, want at most %d: move something to docs/", got, readmeLines)
	}
}

// The words of other proxies stand in one place, where they are translated.
func TestDocs_oneWordPerIdea(t *testing.T) {
	for path, p := range readPages(t) {
		if path == filepath.Join("docs", "vocabulary.md") {
			continue
		}
		for number, line := range p.lines {
			if word := otherWords.FindString(line); word != "" {
				t.Errorf("%s:%d: %q: say target, service or listener; see docs/vocabulary.md", path, number+1, word)
			}
		}
	}
}

func TestDocs_nameEveryErrorCode(t *testing.T) {
	data, err := os.ReadFile("docs/control-api.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := stringConstants(t, "api/error.go", "Code")
	if len(codes) == 0 {
		t.Fatal("api/error.go has no constant of type Code")
	}
	for _, code := range codes {
		if !strings.Contains(string(data), "`"+code+"`") {
			t.Errorf("docs/control-api.md does not name the code %q", code)
		}
	}
}

func TestDocs_nameEveryCounter(t *testing.T) {
	data, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, pattern := range []string{"proxy/counters.go", "internal/daemon/daemon.go"} {
		eachNode(t, pattern, func(where string, n ast.Node) {
			lit, ok := n.(*ast.BasicLit)
			if !ok || !strings.HasPrefix(lit.Value, `"upfront_`) {
				return
			}
			found = true
			if name := strings.Trim(lit.Value, `"`); !strings.Contains(string(data), "`"+name) {
				t.Errorf("%s: docs/operations.md does not name the counter %s", where, name)
			}
		})
	}
	if !found {
		t.Error("no counter found")
	}
}

func TestDocs_nameEveryCall(t *testing.T) {
	data, err := os.ReadFile("docs/control-api.md")
	if err != nil {
		t.Fatal(err)
	}
	verbs := stringConstants(t, "api/path.go", "Verb")
	if len(verbs) == 0 {
		t.Fatal("api/path.go has no constant of type Verb")
	}
	for _, verb := range verbs {
		if call := "`POST /v1/services/NAME/" + verb + "`"; !strings.Contains(string(data), call) {
			t.Errorf("docs/control-api.md does not name %s", call)
		}
	}
}

// A flag that a page or an error names, such as --drain-timeout, is one that can
// be typed.
func TestDocs_namedFlagsExist(t *testing.T) {
	known := flagNames(t, "internal/cli/*.go", "internal/daemon/*.go", "bench/*.go")
	if len(known) == 0 {
		t.Fatal("internal/cli and internal/daemon have no flags")
	}
	check := func(where, text string) {
		for _, m := range flagPattern.FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s: no program has the flag --%s", where, m[1])
			}
		}
	}
	for path, p := range readPages(t) {
		for number, line := range p.lines {
			check(fmt.Sprintf("%s:%d", path, number+1), line)
		}
	}
	for _, pattern := range []string{"api/*.go", "service/*.go", "control/*.go", "config/*.go"} {
		eachNode(t, pattern, func(where string, n ast.Node) {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && !strings.Contains(where, "_test.go") {
				check(where, lit.Value)
			}
		})
	}
}

// flagNames returns the names of the flags that are declared.
func flagNames(t *testing.T, patterns ...string) map[string]bool {
	t.Helper()
	names := map[string]bool{"help": true}
	for _, pattern := range patterns {
		eachNode(t, pattern, func(_ string, n ast.Node) {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return
			}
			at := 1 // of StringVar(&f.host, "host", …) and its like
			switch {
			case method.Sel.Name == "Func":
				at = 0
			case !strings.HasSuffix(strings.TrimSuffix(method.Sel.Name, "P"), "Var"):
				return
			}
			if name, ok := call.Args[at].(*ast.BasicLit); ok {
				names[strings.Trim(name.Value, `"`)] = true
			}
		})
	}
	return names
}

func TestDocs_nameEveryConfigKey(t *testing.T) {
	data, err := os.ReadFile("docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := configKeys(t)
	if len(keys) == 0 {
		t.Fatal("config/ has no key")
	}
	for _, key := range keys {
		if key == "https" { // refused until there is TLS
			continue
		}
		named := regexp.MustCompile("`(\\w+\\.)*" + key + "`|(?m)^### " + key + "$")
		if !named.Match(data) {
			t.Errorf("docs/configuration.md does not name the key %q", key)
		}
	}
}

// configKeys returns the keys that the decoder of the config file knows: the
// first values of its key literals.
func configKeys(t *testing.T) []string {
	t.Helper()
	var keys []string
	eachNode(t, "config/*.go", func(_ string, n ast.Node) {
		lit, ok := n.(*ast.CompositeLit)
		if !ok || len(lit.Elts) != 2 {
			return
		}
		name, isName := lit.Type.(*ast.Ident)
		key, isText := lit.Elts[0].(*ast.BasicLit)
		if isName && name.Name == "key" && isText {
			keys = append(keys, strings.Trim(key.Value, `"`))
		}
	})
	return keys
}

// Whoever copies an example must not find out that it is wrong.
func TestDocs_configExamplesAreGood(t *testing.T) {
	data, err := os.ReadFile("docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(data, -1)
	if len(examples) == 0 {
		t.Fatal("docs/configuration.md has no YAML example")
	}
	for _, example := range examples {
		if _, err := config.Parse("docs/configuration.md", example[1]); err != nil {
			t.Errorf("example of docs/configuration.md: %v", err)
		}
	}
}

// stringConstants returns the values of the constants of one type in a file.
func stringConstants(t *testing.T, path, typeName string) []string {
	t.Helper()
	var values []string
	eachNode(t, path, func(_ string, n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != typeName {
			return
		}
		for _, value := range spec.Values {
			if lit, ok := value.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				values = append(values, strings.Trim(lit.Value, `"`))
			}
		}
	})
	return values
}

// eachNode calls visit for every node of the Go files that pattern matches, with
// its place as file:line.
func eachNode(t *testing.T, pattern string, visit func(where string, n ast.Node)) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	for _, path := range paths {
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if n != nil {
				visit(fmt.Sprintf("%s:%d", path, files.Position(n.Pos()).Line), n)
			}
			return true
		})
	}
}

// readPages reads every Markdown file of the tree, keyed by its path.
func readPages(t *testing.T) map[string]page {
	t.Helper()
	pages := map[string]page{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (path == ".git" || path == "bin") {
			return fs.SkipDir
		}
		if !d.IsDir() && filepath.Ext(path) == ".md" {
			pages[path] = readPage(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) == 0 {
		t.Fatal("found no Markdown file")
	}
	return pages
}

func readPage(t *testing.T, path string) page {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := page{path: path, slugs: map[string]bool{}}
	inCode := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			inCode = !inCode
			line = ""
		}
		if inCode {
			line = ""
		}
		if m := headingPattern.FindStringSubmatch(line); m != nil {
			p.slugs[slug(m[1])] = true
		}
		p.lines = append(p.lines, line)
	}
	return p
}

// slug is the anchor that the usual renderers give a heading.
func slug(heading string) string {
	heading = strings.ToLower(slugDropped.ReplaceAllString(heading, ""))
	return strings.ReplaceAll(heading, " ", "-")
}
