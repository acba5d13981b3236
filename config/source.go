package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// source is the text that mistakes are shown in.
type source struct {
	path  string
	lines []string
}

func newSource(path string, text []byte) *source {
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\r")
	}
	return &source{path: path, lines: lines}
}

func (s *source) errorAt(p place, message string) *Error {
	// The parser may place a mistake behind the end of a line or of the file.
	line := min(max(p.line, 1), max(len(s.lines), 1))
	column := min(max(p.column, 1), utf8.RuneCountInString(s.lines[line-1])+1)
	return &Error{Path: s.path, Line: line, Column: column, Message: message, Excerpt: s.excerpt(line, column)}
}

const (
	excerptBefore = 2
	excerptAfter  = 1
	excerptWidth  = 100 // characters of a line that are shown
)

// excerpt shows a line, two before it and one after it, and a caret.
func (s *source) excerpt(line, column int) string {
	var b strings.Builder
	cut := max(0, column-excerptWidth*3/4)
	last := min(len(s.lines), line+excerptAfter)
	for n := max(1, line-excerptBefore); n <= last; n++ {
		text := window(s.lines[n-1], cut)
		if n > line && text == "" {
			continue
		}
		mark := ' '
		if n == line {
			mark = '>'
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("%c %4d | %s", mark, n, text), " "))
		b.WriteByte('\n')
		if n == line {
			fmt.Fprintf(&b, "       | %s^\n", strings.Repeat(" ", column-1-cut))
		}
	}
	return b.String()
}

// window returns the part of a line that is shown, one column a character.
func window(line string, cut int) string {
	shown := []rune(line)
	shown = shown[min(cut, len(shown)):]
	if len(shown) > excerptWidth {
		shown = shown[:excerptWidth]
	}
	for i, r := range shown {
		if r < ' ' || r == 0x7f { // tabs keep the caret in its column, the rest the terminal safe
			shown[i] = ' '
		}
	}
	return string(shown)
}
