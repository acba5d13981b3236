package page

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
)

// The bounds of a page of a folder.
const (
	// MaxFile is how large a file may be.
	MaxFile = 1 << 20
	// MaxBody is how large what a template makes of it may be.
	MaxBody = 2 << 20
)

// Set is the pages of a folder. Immutable and safe for concurrent use. A nil Set
// has none.
type Set struct{ pages map[int]*custom }

// custom is the page for one status.
type custom struct {
	source   []byte
	template *template.Template
	constant []byte // what the page always says; nil when it depends on the request
}

// Read reads the pages of a folder: of the files in it those named 503.html and so
// on, after the statuses that we answer with. An empty folder name gives a nil
// Set. Each is parsed and tried, and the error says all that is wrong.
func Read(folder string) (*Set, error) {
	if folder == "" {
		return nil, nil //nolint:nilnil // a nil Set is a good one
	}
	if !filepath.IsAbs(folder) {
		return nil, fmt.Errorf("folder of error pages %q is not an absolute path: start it with /", folder)
	}
	info, err := os.Stat(folder)
	if err != nil {
		return nil, fmt.Errorf("read folder of error pages %q: %w", folder, bare(err))
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("read folder of error pages %q: it is a file: name the folder that it is in", folder)
	}
	set := &Set{pages: make(map[int]*custom)}
	var problems []error
	for status := range statusWords {
		page, err := readCustom(filepath.Join(folder, strconv.Itoa(status)+".html"))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			problems = append(problems, err)
		default:
			set.pages[status] = page
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return set, nil
}

// readCustom reads one page. It is tried, too: what a template does wrong is often
// found only when it runs.
func readCustom(path string) (*custom, error) {
	source, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read error page %q: %w", path, err)
	}
	parsed, err := template.New(path).Parse(string(source))
	if err != nil {
		return nil, spoiled(path, err)
	}
	page := &custom{source: source, template: parsed}
	for _, c := range []Content{
		{Status: 503, RequestID: "00000000-0000-4000-8000-000000000000"},
		{Status: 503, RequestID: "00000000-0000-4000-8000-000000000000", Maintenance: true, Message: "Back soon."},
	} {
		body, err := page.render(c)
		if err != nil {
			return nil, spoiled(path, err)
		}
		if constant(parsed) {
			page.constant = body
		}
	}
	return page, nil
}

// readFile reads a file of at most MaxFile bytes. Only a regular one: opening a
// pipe would wait for its writer.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, bare(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no file: remove it")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, bare(err)
	}
	defer func() { _ = file.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err != nil {
		return nil, bare(err)
	}
	if len(data) > MaxFile {
		return nil, fmt.Errorf("it is larger than %d KiB: make it smaller", MaxFile>>10)
	}
	return data, nil
}

// bare strips the path, which the sentence has already.
func bare(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}

// spoiled says what is wrong with a template. Its name is its path, so the cause
// begins with path and line.
func spoiled(path string, err error) error {
	cause := err.Error()
	for _, prefix := range []string{"html/template:", "template:"} {
		cause = strings.TrimPrefix(cause, prefix)
	}
	if cause = strings.TrimSpace(cause); !strings.HasPrefix(cause, path) {
		cause = path + ": " + cause
	}
	return fmt.Errorf("error page %s: correct it, or remove the file", cause)
}

// constant reports whether a template says the same to everybody.
func constant(t *template.Template) bool {
	if t.Tree == nil || t.Tree.Root == nil {
		return true // an empty file
	}
	for _, node := range t.Tree.Root.Nodes {
		if node.Type() != parse.NodeText {
			return false
		}
	}
	return true
}

// Has reports whether there is a page for status.
func (s *Set) Has(status int) bool { return s != nil && s.pages[status] != nil }

// Len is how many pages there are.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.pages)
}

// Equal reports whether both sets were read from the same text.
func (s *Set) Equal(o *Set) bool {
	if s.Len() != o.Len() || (s == nil) != (o == nil) {
		return false
	}
	if s == nil {
		return true
	}
	for status, page := range s.pages {
		if other := o.pages[status]; other == nil || !bytes.Equal(page.source, other.source) {
			return false
		}
	}
	return true
}

// Render returns the page for c.Status, whole, or an error. Only for a status that
// the set has. The caller must not change the bytes: others may be sent them too.
func (s *Set) Render(c Content) ([]byte, error) {
	page := s.pages[c.Status]
	if page.constant != nil {
		return page.constant, nil
	}
	return page.render(c)
}

func (p *custom) render(c Content) (body []byte, err error) {
	defer func() {
		if r := recover(); r != nil { // a page is not worth a connection
			body, err = nil, fmt.Errorf("panic: %v", r)
		}
	}()
	to := bounded{left: MaxBody}
	if err := p.template.Execute(&to, c); err != nil {
		return nil, err
	}
	return to.Bytes(), nil
}

// bounded is a buffer that refuses to grow beyond its bound.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, fmt.Errorf("it makes more than %d KiB", MaxBody>>10)
	}
	return b.Buffer.Write(p)
}
