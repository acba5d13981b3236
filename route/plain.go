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
			if i+2 >= len(path) || !isPlainEscape(path[i+1], path[i+2]) || escapeAt(path, i, full) > i+1 {
				return false
			}
		case '\\', ';':
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

// AppendPlain appends the plain form of path to dst and returns it: what the most
// eager of targets would make of it. Broken escapes stay as they are, and a path
// that does not begin with a slash is only unescaped.
func AppendPlain(dst, path []byte) []byte { return plain.append(dst, path) }

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

// parentSegment is where the segment before write begins.
func parentSegment(path []byte, start, write int) int {
	for write > start {
		write--
		if path[write] == '/' {
			break
		}
	}
	return write
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
