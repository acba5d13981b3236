package config

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// place in a file, both from 1; columns count characters.
type place struct{ line, column int }

func placeOfToken(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{t.Position.Line, t.Position.Column}
}

// value is a node and the keys that lead to it, as "services.web.policy".
type value struct {
	node ast.Node
	path string
	at   place
}

// field is one key of a mapping with its value.
type field struct {
	key string
	at  place
	value
}

// maxVisited bounds how many entries are looked at, so that aliases of aliases
// cannot make a small file large.
const maxVisited = 200_000

// maxErrors bounds how many mistakes are reported in one pass.
const maxErrors = 100

// decoder walks one file and collects what it says and what is wrong.
type decoder struct {
	src     *source
	file    *File
	errs    Errors
	aliases map[*ast.AliasNode]ast.Node // nil where there is no anchor
	unbound bool                        // some alias has no anchor
	visited int
	// partial is true when only some sections of the file can be read: what
	// refers to other sections is not judged then.
	partial bool
	routes  map[string]claim
}

func (d *decoder) fail(at place, format string, args ...any) {
	if len(d.errs) >= maxErrors {
		return
	}
	d.errs = append(d.errs, d.src.errorAt(at, fmt.Sprintf(format, args...)))
}

// failValue reports a mistake in a value, named by its keys.
func (d *decoder) failValue(v value, format string, args ...any) {
	d.fail(v.at, "%s: %s", orTop(v.path), fmt.Sprintf(format, args...))
}

// spend counts n entries that are about to be visited.
func (d *decoder) spend(v value, n int) bool {
	before := d.visited
	d.visited += n
	if d.visited <= maxVisited {
		return true
	}
	if before <= maxVisited {
		d.failValue(v, "the aliases of this file expand to more than %d entries: use fewer", maxVisited)
	}
	return false
}

// bind remembers which anchor each alias stands for. An anchor counts from the
// end of its value on, so no value can hold itself.
func (d *decoder) bind(node ast.Node, anchors map[string]ast.Node) {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, entry := range n.Values {
			d.bind(entry, anchors)
		}
	case *ast.MappingValueNode:
		d.bind(n.Value, anchors)
	case *ast.SequenceNode:
		for _, entry := range n.Values {
			d.bind(entry, anchors)
		}
	case *ast.TagNode:
		d.bind(n.Value, anchors)
	case *ast.AnchorNode:
		d.bind(n.Value, anchors)
		if n.Name != nil {
			anchors[n.Name.GetToken().Value] = n.Value
		}
	case *ast.AliasNode:
		name := ""
		if n.Value != nil {
			name = n.Value.GetToken().Value
		}
		target, ok := anchors[name]
		if !ok && !d.partial {
			d.fail(placeOfToken(n.GetToken()), "the alias *%s has no anchor before it: define &%s first, or remove the alias", name, name)
		}
		d.aliases[n] = target
		d.unbound = d.unbound || !ok
	}
}

// at makes a value of a node; aliases and anchors are looked through, but the
// place stays where the file says the value.
func (d *decoder) at(node ast.Node, path string) value {
	v := value{node: node, path: path, at: place{1, 1}}
	if node == nil {
		return v
	}
	v.at = placeOfNode(node)
	for {
		switch n := v.node.(type) {
		case *ast.AnchorNode:
			v.node = n.Value
		case *ast.AliasNode:
			v.node = d.aliases[n]
		case *ast.TagNode:
			d.failValue(v, "tags such as %s are not supported: remove it", n.GetToken().Value)
			v.node = nil
			return v
		default:
			if glued := unsplit(v.node); glued != nil {
				v.node = glued
			}
			return v
		}
	}
}

// unsplit undoes a mistake of the parser (goccy/go-yaml 1.19.2), which reads
// {targets: [web:80]} as a list with a mapping of web to 80: without a space
// behind the colon, and without quotes around the key, it is text. It returns
// nil for everything else. Remove it when the parser reads that as text.
func unsplit(node ast.Node) ast.Node {
	entries, ok := mappingEntries(node)
	if !ok || len(entries) != 1 || entries[0].Value == nil || entries[0].Start == nil {
		return nil
	}
	key, colon, val := entries[0].Key.GetToken(), entries[0].Start, entries[0].Value.GetToken()
	if node.GetToken().Type == token.MappingStartType || colon.Type != token.MappingValueType || val == nil ||
		key.Position.Line != val.Position.Line || val.Position.Column != colon.Position.Column+1 ||
		key.Position.Column+utf8.RuneCountInString(key.Value) != colon.Position.Column {
		return nil
	}
	text := key.Value + ":" + val.Value
	return ast.String(token.New(text, text, key.Position))
}

// placeOfNode is where a value starts; a block mapping's own token is the
// colon behind its first key.
func placeOfNode(node ast.Node) place {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return placeOfNode(n.Values[0])
		}
	case *ast.MappingValueNode:
		return placeOfToken(n.Key.GetToken())
	}
	return placeOfToken(node.GetToken())
}

// empty reports whether nothing was written behind a key.
func (v value) empty() bool {
	if v.node == nil {
		return true
	}
	_, null := v.node.(*ast.NullNode)
	return null
}

// fields returns the entries of a mapping, merged ones last. It reports what is
// not a mapping, keys that are not text, and keys written twice.
func (d *decoder) fields(v value) []field {
	entries, ok := mappingEntries(v.node)
	if !ok {
		if !v.empty() {
			d.failValue(v, "must be a mapping of keys and values, not %s", kind(v.node))
		}
		return nil
	}
	if !d.spend(v, len(entries)) {
		return nil
	}
	var merged, all []field
	seen := make(map[string]place, len(entries))
	for _, entry := range entries {
		at := placeOfToken(entry.Key.GetToken())
		if entry.Key.IsMergeKey() {
			merged = append(merged, d.merged(d.at(entry.Value, v.path+".<<"))...)
			continue
		}
		key, ok := keyText(entry.Key)
		if !ok {
			d.fail(at, "%s: a key must be plain text", orTop(v.path))
			continue
		}
		if first, twice := seen[key]; twice {
			d.fail(at, "%s: the key is already on line %d: remove one of the two", joinPath(v.path, key), first.line)
			continue
		}
		seen[key] = at
		all = append(all, field{key, at, d.at(entry.Value, joinPath(v.path, key))})
	}
	for _, f := range merged {
		if _, own := seen[f.key]; own {
			continue
		}
		seen[f.key] = f.at
		f.path = joinPath(v.path, f.key)
		all = append(all, f)
	}
	return all
}

// merged returns what a << key brings in: one mapping, or a list of them.
func (d *decoder) merged(v value) []field {
	list, ok := v.node.(*ast.SequenceNode)
	if !ok {
		return d.fields(v)
	}
	var all []field
	for _, entry := range list.Values {
		if !d.spend(v, 1) {
			return nil
		}
		all = append(all, d.fields(d.at(entry, v.path))...)
	}
	return all
}

// items returns the entries of a list; a single value is a list of one.
func (d *decoder) items(v value) []value {
	list, ok := v.node.(*ast.SequenceNode)
	if !ok {
		if v.empty() {
			return nil
		}
		return []value{v}
	}
	if !d.spend(v, len(list.Values)) {
		return nil
	}
	all := make([]value, len(list.Values))
	for i, entry := range list.Values {
		all[i] = d.at(entry, fmt.Sprintf("%s[%d]", v.path, i))
	}
	return all
}

func mappingEntries(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func keyText(key ast.MapKeyNode) (string, bool) {
	switch key.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.BoolNode:
		return key.GetToken().Value, true
	}
	return "", false
}

// kind names a node for people.
func kind(node ast.Node) string {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case nil, *ast.NullNode:
		return "nothing"
	default:
		return "text"
	}
}

func joinPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func orTop(path string) string {
	if path = strings.TrimSuffix(path, ".<<"); path == "" {
		return "the file"
	}
	return path
}
