package route

import "fmt"

// Route is where a value is found: a host and a path prefix, as ParseHost and
// ParsePathPrefix return them.
type Route struct {
	Host       string // "" any host, "example.com", "*.example.com"
	PathPrefix string // "/" or "/api"; never ends in "/" otherwise
}

// String is the route as people write it, "*" standing for any host.
func (r Route) String() string {
	if r.Host == "" {
		return "*" + r.PathPrefix
	}
	return r.Host + r.PathPrefix
}

// Entry is one row of a table.
type Entry[V any] struct {
	Route Route
	Value V
}

// ConflictError says that two entries have the same route.
type ConflictError struct {
	Route         Route
	First, Second int // indexes of the entries given to NewTable
}

// Error names the route; the caller knows whose entries they are.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("route %q is taken twice", e.Route)
}

// Table is immutable; the zero value matches nothing. Safe for concurrent use.
type Table[V any] struct {
	exact    map[string]*paths[V] // by host
	wildcard map[string]*paths[V] // by what follows "*."
	any      *paths[V]            // nil when no route is for any host
}

// NewTable indexes entries, in any order. It returns a *ConflictError when two
// have the same route, and refuses routes that are not in the form of ParseHost
// and ParsePathPrefix, because no request would ever match them.
func NewTable[V any](entries []Entry[V]) (*Table[V], error) {
	t := &Table[V]{
		exact:    make(map[string]*paths[V], len(entries)),
		wildcard: make(map[string]*paths[V]),
	}
	leaves := make([]leaf[V], len(entries))
	for i := range entries {
		entry := &entries[i]
		if err := entry.Route.check(); err != nil {
			return nil, err
		}
		leaves[i] = leaf[V]{prefix: entry.Route.PathPrefix, value: entry.Value, index: i}
		if first, ok := t.bucket(entry.Route.Host).add(&leaves[i]); !ok {
			return nil, &ConflictError{Route: entry.Route, First: first.index, Second: i}
		}
	}
	return t, nil
}

// check reports a route that is not in its parsed form.
func (r Route) check() error {
	if r.Host != "" {
		if host, err := ParseHost(r.Host); err != nil {
			return err
		} else if host != r.Host {
			return fmt.Errorf("host %q is not in its parsed form %q", r.Host, host)
		}
	}
	prefix, err := ParsePathPrefix(r.PathPrefix)
	if err == nil && prefix != r.PathPrefix {
		return fmt.Errorf("path prefix %q is not in its parsed form %q", r.PathPrefix, prefix)
	}
	return err
}

// bucket returns the paths of a host, made when they are new.
func (t *Table[V]) bucket(host string) *paths[V] {
	if host == "" {
		if t.any == nil {
			t.any = &paths[V]{}
		}
		return t.any
	}
	hosts := t.exact
	if isWildcard(host) {
		hosts, host = t.wildcard, host[len("*."):]
	}
	p := hosts[host]
	if p == nil {
		p = &paths[V]{}
		hosts[host] = p
	}
	return p
}

// Match finds the value: exact host, then one-level wildcard, then any host; in each the
// longest prefix on a segment boundary; falls back to the next bucket when no prefix matches.
// host may have a port, upper case and a trailing dot; path is the raw path without query.
// prefix is the matched path prefix. Never allocates.
func (t *Table[V]) Match(host, path []byte) (value V, prefix string, ok bool) {
	if found := t.find(host, path); found != nil {
		return found.value, found.prefix, true
	}
	return value, "", false
}

// Agrees reports whether every reading of path leads to the same entry. When one
// does not, a target that resolves dot segments, doubled slashes or needless
// escapes would see a path that belongs to another route, and the request should
// be refused; likewise one that leaves its prefix and comes back, as a target sees
// another path when the prefix is stripped. Nearly all paths are plain, or of a host with one route: then it
// costs no second lookup. A path whose readings are too many to try does not
// agree.
func (t *Table[V]) Agrees(host, path []byte) bool {
	return IsPlain(path) || t.alone(host) || t.readingsAgree(host, path)
}

func (t *Table[V]) readingsAgree(host, path []byte) bool {
	var text [2048]byte // longer ones allocate
	var ends [maxReadings + 1]int32
	all := readings{text: append(text[:0], path...), ends: append(ends[:0], int32(len(path)))}
	found := t.find(host, path)
	ok := true
	for i := 0; ok && i < len(all.ends); i++ {
		reading := all.at(i)
		if t.find(host, reading) != found {
			return false
		}
		if found != nil && found.prefix != "/" && climbs(reading[len(found.prefix):]) {
			return false
		}
		all, ok = all.expanded(i)
	}
	return ok
}

// alone reports whether all paths of host lead to one entry.
func (t *Table[V]) alone(host []byte) bool {
	name := trimHost(host)
	if len(name) <= maxHost {
		if hasUpper(name) {
			var buf [maxHost]byte
			name = appendLower(buf[:0], name)
		}
		if p := t.exact[string(name)]; p != nil {
			return p.alone()
		}
		if parent := parentOf(name); parent != nil && t.wildcard[string(parent)] != nil {
			return t.wildcard[string(parent)].alone()
		}
	}
	return t.any == nil || t.any.alone()
}

// find is Match without copying the value.
func (t *Table[V]) find(host, path []byte) *leaf[V] {
	name := trimHost(host)
	if len(name) <= maxHost {
		if hasUpper(name) {
			var buf [maxHost]byte
			name = appendLower(buf[:0], name)
		}
		if found := t.exact[string(name)].find(path); found != nil {
			return found
		}
		if parent := parentOf(name); parent != nil {
			if found := t.wildcard[string(parent)].find(path); found != nil {
				return found
			}
		}
	}
	return t.any.find(path)
}
