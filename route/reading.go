package route

// reading is one way in which a target may understand a path. Targets differ in
// how often they decode, in what separates segments, and in what they resolve;
// which of it a target does is nothing that we could know.
type reading struct {
	decode      decoding
	slashes     bool // an escaped slash separates segments
	backslashes bool // a backslash does, escaped or not
	merge       merging
	cut         bool // parameters are cut off, and what looks like a query once decoded
	dots        bool // dot segments are resolved (RFC 3986 §5.2.4)

	// floor is how long the prefix is, above which dot segments must not climb: a
	// target that does not see the prefix would end up elsewhere.
	floor int
}

type decoding uint8

const (
	raw  decoding = iota
	once          // RFC 3986 §6.2.2.2
	full          // also what was encoded twice
)

type merging uint8

const (
	never  merging = iota
	before         // empty segments are dropped as they come
	after          // … once the dot segments are resolved, which took some for parents
)

// plain is the most eager reading.
var plain = reading{decode: once, slashes: true, backslashes: true, merge: before, cut: true, dots: true}

// append appends path as it is read, which never makes it longer; nothing when
// it climbs above the floor.
func (r reading) append(dst, path []byte) []byte {
	start := len(dst)
	dst = r.appendDecoded(dst, path)
	if len(dst) == start || dst[start] != '/' {
		return dst
	}
	// Resolved in place: the written part never overtakes the read part.
	read, write := start, start
	for read < len(dst) {
		next := read + 1
		for next < len(dst) && dst[next] != '/' {
			next++
		}
		last := next == len(dst)
		segment := dst[read+1 : next]
		if r.cut {
			segment = cutParameters(segment)
		}
		dots := 0
		if r.dots {
			dots = dotsOf(segment)
		}
		switch {
		case dots > 0:
			if dots == 2 {
				write = parentSegment(dst, start, write)
				if write-start < r.floor {
					return dst[:start]
				}
			}
			if last {
				dst[write] = '/'
				write++
			}
		case len(segment) > 0 || last || r.merge != before:
			write += copy(dst[write:], dst[read:read+1+len(segment)])
		}
		read = next
	}
	if r.merge == after {
		write = mergeSlashes(dst, start, write)
	}
	return dst[:write]
}

// mergeSlashes makes one slash of several in path[start:end], and returns its new
// end.
func mergeSlashes(path []byte, start, end int) int {
	write := start
	for read := start; read < end; read++ {
		if path[read] == '/' && write > start && path[write-1] == '/' {
			continue
		}
		path[write] = path[read]
		write++
	}
	return write
}

// appendDecoded resolves the escapes that need not be and turns the others to
// upper case.
func (r reading) appendDecoded(dst, path []byte) []byte {
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' && r.decode != raw {
			digits := escapeAt(path, i, r.decode)
			if digits > 0 {
				c = unhex(path[digits])<<4 | unhex(path[digits+1])
				i = digits + 1
				switch {
				case r.cut && (c == '?' || c == '#'):
					return dst
				case c == '/' && r.slashes, c == '\\' && r.backslashes, c == ';' && r.cut, isUnreserved(c):
				default:
					dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
					continue
				}
			}
		}
		if c == '\\' && r.backslashes {
			c = '/'
		}
		dst = append(dst, c)
	}
	return dst
}

// escapeAt is where the two digits of the escape at i are, 0 for none. Decoded in
// full, the percent sign may be an escape itself, again and again.
func escapeAt(path []byte, i int, d decoding) (digits int) {
	digits = i + 1
	for d == full && digits+3 < len(path) && path[digits] == '2' && path[digits+1] == '5' && isHex(path[digits+2]) && isHex(path[digits+3]) {
		digits += 2
	}
	if digits+1 >= len(path) || !isHex(path[digits]) || !isHex(path[digits+1]) {
		return 0
	}
	return digits
}

func cutParameters(segment []byte) []byte {
	for i, c := range segment {
		if c == ';' {
			return segment[:i]
		}
	}
	return segment
}

// differences is in which respects the readings of path may differ.
func differences(path []byte) (d reading) {
	previous, empty := byte(0), false
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' {
			d.decode = max(d.decode, once)
			if digits := escapeAt(path, i, full); digits > 0 {
				c = unhex(path[digits])<<4 | unhex(path[digits+1])
				if digits > i+1 {
					d.decode = full
				}
				i = digits + 1
				d.slashes = d.slashes || c == '/'
				d.cut = d.cut || c == '?' || c == '#'
			}
		}
		d.backslashes = d.backslashes || c == '\\'
		d.cut = d.cut || c == ';'
		d.dots = d.dots || c == '.' && (previous == '/' || previous == '\\')
		empty = empty || c == '/' && previous == '/'
		previous = c
	}
	// Other separators, and parameters cut off, make empty segments.
	switch {
	case !empty && !d.slashes && !d.backslashes && !d.cut:
	case d.dots:
		d.merge = after
	default:
		d.merge = before
	}
	return d
}

// next steps through every reading that d tells apart, from the zero value on, and
// reports false after the last.
func (r *reading) next(d reading) bool {
	if r.decode < d.decode {
		r.decode++
		return true
	}
	r.decode = raw
	if r.merge < d.merge {
		r.merge++
		return true
	}
	r.merge = never
	for _, s := range []struct {
		on      *bool
		differs bool
	}{{&r.slashes, d.slashes}, {&r.backslashes, d.backslashes}, {&r.cut, d.cut}, {&r.dots, d.dots}} {
		if !s.differs {
			continue
		}
		if *s.on = !*s.on; *s.on {
			return true
		}
	}
	return false
}
