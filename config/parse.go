package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Parse reads a settings file. path is only used in mistakes. The error is an
// Errors with every mistake that was found; an empty file is valid.
func Parse(path string, text []byte) (*File, error) {
	if len(text) > MaxBytes {
		return nil, Errors{{Path: path, Message: fmt.Sprintf("the file is larger than %d KiB: make it smaller", MaxBytes>>10)}}
	}
	text = bytes.TrimPrefix(text, byteOrderMark)
	src := newSource(path, text)
	if at := bytes.IndexFunc(text, unreadable); at >= 0 {
		return nil, Errors{src.errorAt(placeOf(text, at), "the file is not plain UTF-8 text: save it as UTF-8 without control characters")}
	}
	d := &decoder{src: src, file: &File{}}
	if root, problem := parseYAML(src, text, 1); problem == nil {
		d.document(root)
	} else {
		d.errs = append(d.errs, problem)
		d.salvage(text, problem.Line)
	}
	if len(d.errs) > 0 {
		return nil, d.sorted()
	}
	return d.file, nil
}

// byteOrderMark begins what some editors save.
var byteOrderMark = []byte("\xef\xbb\xbf")

// unreadable also finds invalid UTF-8, which decodes to RuneError; so a file
// that really holds U+FFFD is refused too.
func unreadable(r rune) bool {
	return r == utf8.RuneError || r == 0x7f || r < ' ' && r != '\n' && r != '\r' && r != '\t'
}

func placeOf(text []byte, at int) place {
	start := bytes.LastIndexByte(text[:at], '\n') + 1
	return place{bytes.Count(text[:at], []byte{'\n'}) + 1, utf8.RuneCount(text[start:at]) + 1}
}

// parseYAML returns the root of the only document, nil when it is empty. text
// begins at firstLine of the file.
func parseYAML(src *source, text []byte, firstLine int) (root ast.Node, problem *Error) {
	defer func() {
		if r := recover(); r != nil { // a defect of the parser must not stop the daemon
			problem = src.errorAt(place{1, 1}, "the file cannot be read as YAML: simplify it")
		}
	}()
	tokens := lexer.Tokenize(string(text))
	moveDown(tokens, firstLine-1)
	if deep := tooDeep(tokens); deep != nil {
		return nil, src.errorAt(placeOfToken(deep), fmt.Sprintf("nested more than %d deep: make it flatter", maxNesting))
	}
	if wide := tooWide(tokens); wide != nil {
		return nil, src.errorAt(placeOfToken(wide), fmt.Sprintf("a mapping of more than %d keys: split it", maxKeys))
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxError(src, err)
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			return nil, src.errorAt(placeOfNode(doc.Body), "the file holds a second YAML document: remove the --- line before it")
		}
		root = doc.Body
	}
	return root, nil
}

// moveDown adds lines to the places of tokens, some of which are shared.
func moveDown(tokens token.Tokens, lines int) {
	if lines == 0 {
		return
	}
	moved := make(map[*token.Position]bool, len(tokens))
	for _, t := range tokens {
		if !moved[t.Position] {
			moved[t.Position] = true
			t.Position.Line += lines
		}
	}
}

func syntaxError(src *source, err error) *Error {
	at, message := place{1, 1}, err.Error()
	if positioned, ok := errors.AsType[yaml.Error](err); ok {
		at, message = placeOfToken(positioned.GetToken()), positioned.GetMessage()
	}
	if strings.Contains(message, "'\t'") {
		return src.errorAt(at, "not valid YAML: a tab: indent with spaces")
	}
	return src.errorAt(at, "not valid YAML: "+strings.ReplaceAll(message, "\n", " "))
}

const maxNesting = 32

// tooDeep returns the token that nests too deep. The parser recurses, and takes
// time quadratic in the depth, so this is found before it runs. Depth that
// comes from indentation is bounded by the size of the file.
func tooDeep(tokens token.Tokens) *token.Token {
	flow, opened, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, opened = t.Position.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
			opened++
		case token.MappingEndType, token.SequenceEndType:
			flow--
			opened--
		case token.SequenceEntryType, token.MappingKeyType:
			opened++
		case token.TagType, token.AnchorType:
			if t.Prev != nil && (t.Prev.Type == t.Type || t.Prev.Prev != nil && t.Prev.Prev.Type == t.Type) {
				opened++
			}
		default:
		}
		if flow > maxNesting || opened > maxNesting {
			return t
		}
	}
	return nil
}

// maxKeys of one mapping.
const maxKeys = 15_000

// tooWide returns the key that is one too many for its mapping: the parser takes
// time quadratic in the keys of a block mapping.
func tooWide(tokens token.Tokens) *token.Token {
	type mapping struct{ column, keys int }
	var open []mapping
	for _, t := range tokens {
		if t.Type != token.MappingValueType || t.Prev == nil {
			continue
		}
		column := t.Prev.Position.Column
		for len(open) > 0 && open[len(open)-1].column > column {
			open = open[:len(open)-1]
		}
		if len(open) == 0 || open[len(open)-1].column < column {
			open = append(open, mapping{column: column})
		}
		last := &open[len(open)-1]
		if last.keys++; last.keys > maxKeys {
			return t.Prev
		}
	}
	return nil
}

// salvage looks for more mistakes in a file that is not valid YAML: it reads
// each top-level section on its own. broken is the line of the mistake that is
// known already.
func (d *decoder) salvage(text []byte, broken int) {
	all := sections(text)
	if len(all) > maxErrors {
		return
	}
	for _, s := range all {
		root, problem := parseYAML(d.src, s.text, s.firstLine)
		inside := s.firstLine <= broken && broken <= s.lastLine
		switch {
		case problem == nil && !inside:
			d.partial = true
			d.document(root)
		case problem != nil && !inside:
			d.errs = append(d.errs, problem)
		}
	}
}

type section struct {
	text                []byte
	firstLine, lastLine int
}

// sections cuts a file before each line that starts a top-level key.
func sections(text []byte) []section {
	var all []section
	line := 0
	for rest := range bytes.Lines(text) {
		line++
		starts := strings.IndexByte(" \t\r\n#-]}", rest[0]) < 0
		if starts || len(all) == 0 {
			all = append(all, section{firstLine: line})
		}
		last := &all[len(all)-1]
		last.text, last.lastLine = append(last.text, rest...), line
	}
	return all
}

// sorted returns the mistakes in the order of their places. Of two in one place
// the second only follows from the first.
func (d *decoder) sorted() Errors {
	slices.SortStableFunc(d.errs, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return slices.CompactFunc(d.errs, func(a, b *Error) bool {
		return a.Line == b.Line && a.Column == b.Column
	})
}
