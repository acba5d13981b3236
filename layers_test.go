package upfront_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is the prefix of our own import paths.
const module = "upfront/"

// layers is who may import whom: a package imports lower layers only, never its
// own. A package that is not named belongs to the nearest folder above it that
// is, and a package may import what lies inside its own folder.
var layers = map[string]int{
	"health":              0,
	"route":               0,
	"page":                0,
	"cert":                0,
	"metrics":             0,
	"api":                 0,
	"dial":                0,
	"cert/acme":           1,
	"proxy/http1":         0,
	"internal/atomicfile": 0,
	"internal/logfield":   0,
	"internal/version":    0,
	"balancer":            1,
	"service":             2,
	"proxy":               3,
	"control":             3,
	"docker":              3,
	"internal/cli":        4,
	"config":              4,
	"internal/kamalstate": 1,
	"internal/daemon":     5,
	"cmd/proxyd":          6,
	"cmd/proxyctl":        6,
	"cmd/kamal-proxy":     6,
}

// helpers serve tests, measurements and demonstrations. They may import anything,
// and nothing that is in layers may import them.
var helpers = []string{"bench", "e2e", "examples", "conformance", "internal/testtarget", "internal/load", "internal/hostilesuite", "internal/wssuite", "internal/pebble"}

// maxDepth is how long a chain of our own imports may be, over all helpers too.
const maxDepth = 5

// only bounds what a package of ours may import of our own, when that is less
// than its layer allows.
var only = map[string][]string{
	"api":             {},
	"internal/cli":    {"api", "internal/version"},
	"cmd/proxyctl":    {"api", "internal/cli", "internal/version"},
	"cmd/proxyd":      {"internal/daemon"},
	"cmd/kamal-proxy": {"internal/cli", "internal/daemon", "internal/version"},
}

// limited says who may import a path (and all that is below it), or who may not.
var limited = []struct {
	path    string
	in      []string // nil: nowhere
	notIn   []string // when set, in is not looked at
	but     []string // may, below notIn
	tests   bool     // the limit holds for test files as well
	instead string
}{
	{
		path:    module + "config",
		in:      []string{"internal/daemon"},
		instead: "let internal/daemon turn the setting into the package's Options",
	},
	{
		path:    "github.com/valyala/fasthttp",
		in:      []string{"proxy", "health", "bench", "e2e", "examples", "internal/testtarget", "internal/load"},
		instead: "move what touches messages into proxy, or use net/http",
	},
	{
		path:    "go.uber.org/zap",
		notIn:   []string{"health", "balancer", "route", "page", "api", "dial", "cert", "metrics", "proxy/http1", "internal/atomicfile"},
		but:     []string{"cert/acme"}, // certmagic wants a logger, and what happens there nobody asked for
		instead: "leaves never log: return the value or the error, and let the caller log it",
	},
	{
		path:    "github.com/caddyserver/certmagic",
		in:      []string{"cert/acme"},
		instead: "say what is wanted of certificates in cert/acme",
	},
	{
		path:    "github.com/spf13",
		in:      []string{"internal/cli"},
		instead: "put the command into internal/cli",
	},
	{
		path:    "github.com/goccy/go-yaml",
		in:      []string{"config"},
		instead: "read YAML in config and pass typed values on",
	},
	{
		path:    "github.com/fsnotify/fsnotify",
		in:      []string{"config"},
		instead: "watch files in config",
	},
	{path: "log", tests: true, instead: "log with zap, or return the error"},
	{path: "github.com/stretchr/testify", tests: true, instead: "compare got with want"},
}

// listed is what go list says of one package.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// name is the path inside the module; the root is ".".
func (p listed) name() string {
	if name, ok := strings.CutPrefix(p.ImportPath, module); ok {
		return name
	}
	return "."
}

func TestLayers(t *testing.T) {
	packages := list(t)
	for _, p := range packages {
		for _, problem := range slices.Concat(layerProblems(p), limitProblems(p)) {
			t.Error(problem)
		}
	}
	if chain := deepest(packages); len(chain)-1 > maxDepth {
		t.Errorf("%s is a chain of %d imports, %d are allowed: let the lower packages return values "+
			"to the upper ones instead of passing through", strings.Join(chain, " → "), len(chain)-1, maxDepth)
	}
}

// The table must be able to fail: one case for each kind of rule.
func TestLayers_rulesBite(t *testing.T) {
	for _, test := range []struct {
		name    string
		imports []string
		tests   []string
		want    string // "" for no problem
	}{
		{name: "service", imports: []string{"upfront/balancer", "upfront/api", "fmt"}},
		{name: "proxy", imports: []string{"upfront/proxy/http1", "github.com/valyala/fasthttp/fasthttputil"}},
		{name: "proxy", imports: []string{"upfront/proxy/http2"}},
		{name: "examples/quickstart", imports: []string{"upfront/internal/testtarget", "upfront/service"}},
		{name: "health", tests: []string{"upfront/internal/testtarget", "go.uber.org/goleak"}},
		{name: "service", imports: []string{"upfront/proxy"}, want: "goes up"},
		{name: "control", imports: []string{"upfront/proxy"}, want: "sibling"},
		{name: "proxy/http2", imports: []string{"upfront/control"}, want: "sibling"},
		{name: "internal/cli", imports: []string{"upfront/service"}, want: "may import only"},
		{name: "control", imports: []string{"upfront/config"}, want: "internal/daemon"},
		{name: "proxy", imports: []string{"upfront/internal/load"}, want: "helper"},
		{name: "shiny", imports: []string{"fmt"}, want: "has no layer"},
		{name: "control", imports: []string{"github.com/valyala/fasthttp"}, want: "net/http"},
		{name: "api", imports: []string{"example.com/x"}, want: "standard library"},
		{name: "balancer", imports: []string{"go.uber.org/zap/zapcore"}, want: "never log"},
		{name: "cert/acme", imports: []string{"go.uber.org/zap", "upfront/api", "github.com/caddyserver/certmagic"}},
		{name: "cert", imports: []string{"go.uber.org/zap"}, want: "never log"},
		{name: "control", imports: []string{"log/slog"}, want: "zap"},
		{name: "control", tests: []string{"log"}, want: "zap"},
		{name: "control", tests: []string{"github.com/stretchr/testify/require"}, want: "got with want"},
	} {
		p := listed{ImportPath: module + test.name, Imports: test.imports, TestImports: test.tests}
		problems := strings.Join(slices.Concat(layerProblems(p), limitProblems(p)), "\n")
		if (problems == "") != (test.want == "") || !strings.Contains(problems, test.want) {
			t.Errorf("%s importing %v, in tests %v: got %q, want a problem with %q",
				test.name, test.imports, test.tests, problems, test.want)
		}
	}
}

// list runs go list on every package of the module.
func list(t *testing.T) []listed {
	t.Helper()
	// -e: a package that does not build is the compiler's to report.
	command := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("run go list: %v", err)
	}
	var packages []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatalf("read the output of go list: %v", err)
		}
		packages = append(packages, p)
	}
}

// layerProblems checks the imports of our own packages.
func layerProblems(p listed) (problems []string) {
	name := p.name()
	if name == "." || within(name, helpers...) {
		return nil
	}
	own, layer, ok := layerOf(name)
	if !ok {
		return []string{fmt.Sprintf("%s has no layer: name it in layers (layers_test.go) and in the design, "+
			"or move it into a package that is there", name)}
	}
	for _, path := range p.Imports {
		imported, ours := strings.CutPrefix(path, module)
		if !ours {
			if own == "api" && strings.Contains(path, ".") {
				problems = append(problems, fmt.Sprintf("%s imports %s: api uses the standard library only; "+
					"move the code to a package above it", name, path))
			}
			continue
		}
		other, otherLayer, known := layerOf(imported)
		allowed, bounded := only[own]
		switch {
		case within(imported, name) || other == own:
		case within(imported, helpers...):
			problems = append(problems, fmt.Sprintf("%s imports the helper %s: only tests and helpers may; "+
				"move what both need to a lower layer", name, imported))
		case !known: // reported for itself
		case bounded && !slices.Contains(allowed, other):
			problems = append(problems, fmt.Sprintf("%s imports %s, but may import only %v of ours: "+
				"say what it needs in api", name, imported, allowed))
		case otherLayer == layer:
			problems = append(problems, fmt.Sprintf("%s imports its sibling %s: declare a small interface or func "+
				"in %s and let the layer above pass it in", name, imported, name))
		case otherLayer > layer:
			problems = append(problems, fmt.Sprintf("%s imports %s, which goes up: take a func or an interface "+
				"at construction instead", name, imported))
		}
	}
	return problems
}

// limitProblems checks the imports that only some packages may have.
func limitProblems(p listed) (problems []string) {
	name := p.name()
	for _, limit := range limited {
		imports := p.Imports
		if limit.tests {
			imports = slices.Concat(p.Imports, p.TestImports, p.XTestImports)
		}
		allowed := within(name, limit.in...)
		if limit.notIn != nil {
			allowed = !within(name, limit.notIn...) || within(name, limit.but...)
		}
		for _, path := range imports {
			if within(path, limit.path) && !allowed {
				problems = append(problems, fmt.Sprintf("%s imports %s: %s", name, path, limit.instead))
			}
		}
	}
	return problems
}

// layerOf finds the nearest folder that has a layer.
func layerOf(name string) (folder string, layer int, ok bool) {
	for folder = name; ; {
		if layer, ok = layers[folder]; ok {
			return folder, layer, true
		}
		slash := strings.LastIndexByte(folder, '/')
		if slash < 0 {
			return "", 0, false
		}
		folder = folder[:slash]
	}
}

// within reports whether path is one of the folders or below one.
func within(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return path == folder || strings.HasPrefix(path, folder+"/")
	})
}

// deepest is the longest chain of our own imports.
func deepest(packages []listed) []string {
	imports := make(map[string][]string)
	for _, p := range packages {
		for _, path := range p.Imports {
			if imported, ours := strings.CutPrefix(path, module); ours {
				imports[p.name()] = append(imports[p.name()], imported)
			}
		}
	}
	known := make(map[string][]string)
	var chainOf func(name string) []string
	chainOf = func(name string) []string {
		if chain, ok := known[name]; ok {
			return chain
		}
		var below []string
		for _, imported := range imports[name] {
			if chain := chainOf(imported); len(chain) > len(below) {
				below = chain
			}
		}
		known[name] = append([]string{name}, below...)
		return known[name]
	}
	var longest []string
	for _, p := range packages {
		if chain := chainOf(p.name()); len(chain) > len(longest) {
			longest = chain
		}
	}
	return longest
}
