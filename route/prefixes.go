package route

// leaf is an entry as it is stored.
type leaf[V any] struct {
	prefix string
	value  V
	index  int // in the list given to NewTable
}

// paths is the prefixes of one host. Nil has none.
type paths[V any] struct {
	root   *leaf[V]            // of "/"
	longer map[string]*leaf[V] // by prefix; nil when there is only "/"
	// length and segments of the longest prefixes bound the walk of a lookup.
	length, segments int
}

// add stores l, or returns the leaf that has its prefix already.
func (p *paths[V]) add(l *leaf[V]) (first *leaf[V], ok bool) {
	if l.prefix == "/" {
		if p.root != nil {
			return p.root, false
		}
		p.root = l
		return nil, true
	}
	if first = p.longer[l.prefix]; first != nil {
		return first, false
	}
	if p.longer == nil {
		p.longer = make(map[string]*leaf[V])
	}
	p.longer[l.prefix] = l
	p.length = max(p.length, len(l.prefix))
	p.segments = max(p.segments, countSlashes(l.prefix))
	return nil, true
}

// alone reports whether there is no prefix but "/".
func (p *paths[V]) alone() bool { return p.root != nil && p.longer == nil }

// find looks up the path cut at each of its segment boundaries, the longest cut
// first. The number of lookups depends on the deepest prefix, not on how many
// prefixes there are nor on what the client sends.
func (p *paths[V]) find(path []byte) *leaf[V] {
	if p == nil {
		return nil
	}
	for end := p.reach(path); end > 0; end = lastSlash(path[:end]) {
		if found := p.longer[string(path[:end])]; found != nil {
			return found
		}
	}
	// Also for "*" of OPTIONS, which has no path at all.
	return p.root
}

// reach is where the longest cut ends that could be a prefix: a segment boundary
// no deeper and no further out than the longest prefixes.
func (p *paths[V]) reach(path []byte) (end int) {
	if p.longer == nil {
		return 0
	}
	segments := 0
	for i := 0; i < len(path) && i <= p.length; i++ {
		if path[i] != '/' {
			continue
		}
		end = i
		if segments++; segments > p.segments {
			return end
		}
	}
	if len(path) <= p.length {
		return len(path)
	}
	return end
}

func lastSlash(path []byte) int {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '/' {
			return i
		}
	}
	return 0
}

func countSlashes(s string) (n int) {
	for i := range len(s) {
		if s[i] == '/' {
			n++
		}
	}
	return n
}
