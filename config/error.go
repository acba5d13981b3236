package config

import (
	"fmt"
	"strings"
)

// Error is one mistake in a file.
type Error struct {
	Path    string
	Line    int // from 1; 0 when the mistake has no place
	Column  int // from 1, in characters
	Message string
	// Excerpt shows the line with its neighbours and a caret below the column.
	Excerpt string
}

// Error returns "path:line:column: message", without the excerpt.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Path, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Message)
}

// Errors are all mistakes of one file in the order of their places.
type Errors []*Error

// Error returns the first mistake and how many more there are, on one line.
func (e Errors) Error() string {
	switch len(e) {
	case 0:
		return "no errors"
	case 1:
		return e[0].Error()
	default:
		return fmt.Sprintf("%s (and %d more)", e[0].Error(), len(e)-1)
	}
}

// Report returns all mistakes with their excerpts, for people.
func (e Errors) Report() string {
	var b strings.Builder
	for i, one := range e {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(one.Error())
		b.WriteByte('\n')
		b.WriteString(one.Excerpt)
	}
	return b.String()
}

// Unwrap lets errors.As find a single mistake.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// Mistake returns a mistake that was found after Parse, such as a service that
// cannot be applied, with its excerpt.
func Mistake(path string, text []byte, line, column int, message string) *Error {
	return newSource(path, text).errorAt(place{line, column}, message)
}
