package page

import (
	_ "embed" // the built-in page
	"html"
	"strconv"
	"strings"
)

// builtinSource is no template: when a service is down every visitor gets this
// page, and html/template takes longer for one than the proxy for a request.
//
//go:embed builtin.html
var builtinSource string

// piece is a part of the built-in page: text as it is, and the name of what
// follows it; none at the end.
type piece struct{ text, name string }

var builtin = cutPieces(builtinSource)

// cutPieces cuts source at its names, which are written {{name}}.
func cutPieces(source string) (all []piece) {
	for source != "" {
		text, rest, _ := strings.Cut(source, "{{")
		name, after, _ := strings.Cut(rest, "}}")
		all = append(all, piece{text, name})
		source = after
	}
	return all
}

func (c Content) appendHTML(b []byte) []byte {
	for _, p := range builtin {
		b = append(append(b, p.text...), html.EscapeString(c.named(p.name))...)
	}
	return b
}

// named returns what stands for a name in the built-in page.
func (c Content) named(name string) string {
	switch name {
	case "kind":
		if c.Maintenance {
			return "maintenance"
		}
		return "error"
	case "title":
		return c.Title()
	case "sentence":
		return c.Sentence()
	case "label":
		if c.Maintenance {
			return ""
		}
		return "Error " + strconv.Itoa(c.Status) + " · "
	case "id":
		return c.RequestID
	}
	return ""
}
