package upfront_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The budgets of a file and a function, in lines.
const (
	maxFileLines     = 500
	maxTestFileLines = 800
	maxFuncLines     = 60
)

// longFuncs may be longer than maxFuncLines: "folder/file.go:Name" and why.
var longFuncs = map[string]string{}

// vagueNames say nothing about what a package is for.
var vagueNames = []string{"util", "utils", "common", "helper", "helpers", "type", "types", "model", "models", "core", "manager", "pkg", "misc"}

// source is one parsed Go file.
type source struct {
	path  string
	lines int
	set   *token.FileSet
	file  *ast.File
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.set.Position(n.Pos()).Line)
}

func TestSize_filesAndFunctions(t *testing.T) {
	for _, s := range sources(t) {
		limit := maxFileLines
		if s.isTest() {
			limit = maxTestFileLines
		}
		if s.lines > limit {
			t.Errorf("%s has %d lines, %d are allowed: give one of its nouns a file of its own", s.path, s.lines, limit)
		}
		for _, declared := range s.file.Decls {
			function, ok := declared.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := s.set.Position(function.End()).Line - s.set.Position(function.Pos()).Line + 1
			if lines > maxFuncLines && longFuncs[s.path+":"+function.Name.Name] == "" {
				t.Errorf("%s: %s has %d lines, %d are allowed: name its steps, and move large tables out of it",
					s.at(function), function.Name.Name, lines, maxFuncLines)
			}
		}
	}
}

func TestSize_exportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		for _, name := range undocumented(s.file) {
			t.Errorf("%s: %s has no comment: say what it is, its unit, its zero value and its errors", s.at(name), name.Name)
		}
	}
}

func TestSize_testsDoNotSleep(t *testing.T) {
	for _, s := range sources(t) {
		if !s.isTest() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok || call.Sel.Name != "Sleep" {
				return true
			}
			if from, ok := call.X.(*ast.Ident); ok && from.Name == "time" {
				t.Errorf("%s: time.Sleep in a test: wait for what happens (a channel, synctest, a deadline with a ticker)", s.at(call))
			}
			return true
		})
	}
}

func TestSize_packageNamesSaySomething(t *testing.T) {
	for _, s := range sources(t) {
		folder := filepath.Base(filepath.Dir(s.path))
		for _, name := range []string{s.file.Name.Name, folder} {
			if slices.Contains(vagueNames, strings.TrimSuffix(name, "_test")) {
				t.Errorf("%s: package %q: name it for what it is about, or move its content to who uses it", s.path, name)
			}
		}
	}
}

// The check for comments must be able to fail.
func TestSize_undocumentedFindsEveryKind(t *testing.T) {
	const code = `package p

func Func() {}
func (T) Method() {}
func (hidden) Exported() {}
type T int
type hidden int
var Var, inner = 1, 2
const Const = 1

// The group has a comment, which covers its names.
const (
	One = 1
	Two = 2
)

var (
	Three = 3 // three
	Four  = 4
)

// Documented is.
func Documented() {}
`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", code, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range undocumented(file) {
		got = append(got, name.Name)
	}
	if want := []string{"Func", "Method", "T", "Var", "Const", "Four"}; !slices.Equal(got, want) {
		t.Errorf("undocumented: got %v, want %v", got, want)
	}
}

// sources parses every Go file of the module.
func sources(t *testing.T) (all []source) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != "." && (strings.HasPrefix(name, ".") || slices.Contains([]string{"testdata", "vendor", "bin"}, name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || name == "skeleton.go" {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, source{path: filepath.ToSlash(path), lines: bytes.Count(content, []byte("\n")), set: set, file: file})
		return nil
	})
	if err != nil {
		t.Fatalf("read the sources: %v", err)
	}
	return all
}

// undocumented lists the exported names of a file that have no comment. A comment
// on a group covers its names; methods of unexported types need none.
func undocumented(file *ast.File) (names []*ast.Ident) {
	for _, declared := range file.Decls {
		switch d := declared.(type) {
		case *ast.FuncDecl:
			if d.Doc == nil && d.Name.IsExported() && receiverIsExported(d) {
				names = append(names, d.Name)
			}
		case *ast.GenDecl:
			if d.Doc == nil {
				names = append(names, undocumentedSpecs(d.Specs)...)
			}
		}
	}
	return names
}

func undocumentedSpecs(specs []ast.Spec) (names []*ast.Ident) {
	for _, spec := range specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Doc == nil && s.Comment == nil && s.Name.IsExported() {
				names = append(names, s.Name)
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if s.Doc == nil && s.Comment == nil && name.IsExported() {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// receiverIsExported is true for functions as well.
func receiverIsExported(function *ast.FuncDecl) bool {
	if function.Recv == nil {
		return true
	}
	receiver := function.Recv.List[0].Type
	for {
		switch r := receiver.(type) {
		case *ast.StarExpr:
			receiver = r.X
		case *ast.IndexExpr:
			receiver = r.X
		case *ast.IndexListExpr:
			receiver = r.X
		case *ast.Ident:
			return r.IsExported()
		default:
			return true
		}
	}
}
