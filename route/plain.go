package route

// A path is plain when nobody on the way can read it in two ways: no dot segments
// (RFC 3986 §5.2.4), no doubled slashes, no backslashes, no escaped slashes, no
// escapes of characters that need none (§6.2.2.2), and escapes in upper case.
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
			if i+2 >= len(path) || !isPlainEscape(path[i+1], path[i+2]) {
				return false
			}
		case '\\':
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
	return !isUnreserved(c) && c != '/' && c != '\\'
}

// AppendPlain appends the plain form of path to dst and returns it: what the most
// eager of targets would make of it. Broken escapes stay as they are, and a path
// that does not begin with a slash is only unescaped.
func AppendPlain(dst, path []byte) []byte {
	start := len(dst)
	dst = appendUnescaped(dst, path)
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
		switch dotsOf(segment) {
		case 2:
			write = parentSegment(dst, start, write)
			fallthrough
		case 1:
			if last {
				dst[write] = '/'
				write++
			}
		default:
			if len(segment) > 0 || last {
				write += copy(dst[write:], dst[read:next])
			}
		}
		read = next
	}
	return dst[:write]
}

// appendUnescaped resolves the escapes that need not be, turns the others to upper
// case, and backslashes, also escaped ones, to slashes.
func appendUnescaped(dst, path []byte) []byte {
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]) {
			high, low := unhex(path[i+1]), unhex(path[i+2])
			i += 2
			c = high<<4 | low
			if !isUnreserved(c) && c != '/' && c != '\\' {
				dst = append(dst, '%', upperHex[high], upperHex[low])
				continue
			}
		}
		if c == '\\' {
			c = '/'
		}
		dst = append(dst, c)
	}
	return dst
}

// dotsOf is 1 for the segment ".", 2 for "..", else 0. Parameters do not count:
// some targets cut them off before they resolve the dots.
func dotsOf(segment []byte) int {
	n := 0
	for n < len(segment) && segment[n] == '.' {
		n++
	}
	if n > 2 || n < len(segment) && segment[n] != ';' {
		return 0
	}
	return n
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
