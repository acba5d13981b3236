package route

// A path is plain when nobody on the way can read it in two ways: no dot segments
// (RFC 3986 §5.2.4), no doubled slashes, no backslashes, no parameters, no escapes
// of what separates or ends a path, nor of characters that need none (§6.2.2.2),
// nor of escapes, and escapes in upper case.
// Targets differ in which of these they resolve.

// IsPlain reports whether path is surely plain, in one pass. It may say false of
// a plain path with a segment that begins with a dot, such as /.well-known.
func IsPlain(path []byte) bool {
	for i := range path {
		switch path[i] {
		case '/':
			if i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.') {
				return false
			}
		case '%':
			if i+2 >= len(path) || !isPlainEscape(path[i+1], path[i+2]) || isEscapeOfEscape(path[i:]) {
				return false
			}
		case '\\', ';', '?', '#':
			return false
		}
	}
	return true
}

// isPlainEscape reports an escape that has to be one, in upper case.
func isPlainEscape(high, low byte) bool {
	if !isHex(high) || !isHex(low) || high >= 'a' || low >= 'a' {
		return false
	}
	c := unhex(high)<<4 | unhex(low)
	switch c {
	case '/', '\\', ';', '?', '#':
		return false
	}
	return !isUnreserved(c)
}

// isEscapeOfEscape reports an escaped percent sign with two digits behind it.
func isEscapeOfEscape(path []byte) bool {
	return len(path) > 4 && path[1] == '2' && path[2] == '5' && isHex(path[3]) && isHex(path[4])
}

// isEscape reports whether s begins with a percent sign and two digits.
func isEscape[S string | []byte](s S) bool {
	return len(s) > 2 && s[0] == '%' && isHex(s[1]) && isHex(s[2])
}

// AppendPlain appends the plain form of path to dst and returns it: what the most
// eager of targets would make of it. It decodes once. A percent sign that begins no
// escape is escaped, and a path that does not begin with a slash keeps its dots.
func AppendPlain(dst, path []byte) []byte {
	for _, s := range [...]step{decode, slash, backslash, endQuery, endFragment, cut, merge, resolve} {
		path = s.append(nil, path)
	}
	return append(dst, path...)
}

// dotsOf is 1 for the segment ".", 2 for "..", else 0.
func dotsOf(segment []byte) int {
	switch string(segment) {
	case ".":
		return 1
	case "..":
		return 2
	}
	return 0
}

const upperHex = "0123456789ABCDEF"

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}
