package route

// SKELETON.

// Route is where a value is found: a host and a path prefix.
type Route struct {
	Host       string // "" any host, "example.com", "*.example.com"
	PathPrefix string // "/" or "/api"; never ends in "/" otherwise
}

// Entry is one row of a table.
type Entry[V any] struct {
	Route Route
	Value V
}

// Table is immutable.
type Table[V any] struct{}

// NewTable returns an error that names both routes when two entries have the same route.
func NewTable[V any](entries []Entry[V]) (*Table[V], error) { return nil, nil }

// Match finds the value: exact host, then one-level wildcard, then any host; in each the
// longest prefix on a segment boundary; falls back to the next bucket when no prefix matches.
// host may have a port, upper case and a trailing dot; path is the raw path without query.
// prefix is the matched path prefix. Never allocates.
func (t *Table[V]) Match(host, path []byte) (value V, prefix string, ok bool) {
	var v V
	return v, "", false
}
