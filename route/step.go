package route

import "bytes"

// step is one thing that a target may do to a path before it looks the path up.
// Which of them a target does, in which order and how often, is nothing that we
// could know.
type step uint8

const (
	decode       step = iota // resolve the escapes that need not be (RFC 3986 §6.2.2.2)
	decodeMore               // … where percent signs were escaped
	slash                    // an escaped slash separates segments
	backslash                // a backslash does
	endQuery                 // what looks like a query, once decoded, is none of the path
	endFragment              // … or like a fragment
	cut                      // parameters are cut off
	merge                    // empty segments are dropped
	resolve                  // dot segments are resolved (RFC 3986 §5.2.4)
	stepsInTotal             // not a step
)

// signs is what a path has in it that a step changes.
var signs = [stepsInTotal][]byte{
	decode:      []byte("%"),
	decodeMore:  []byte("%25"),
	slash:       []byte("%2"),
	backslash:   []byte(`\`),
	endQuery:    []byte("?"),
	endFragment: []byte("#"),
	cut:         []byte(";"),
	merge:       []byte("//"),
	resolve:     []byte("/."),
}

// changes reports whether the step may change path; false is sure.
func (s step) changes(path []byte) bool { return bytes.Contains(path, signs[s]) }

// append appends what the step makes of path, which must not overlap dst.
func (s step) append(dst, path []byte) []byte {
	switch s {
	case decode:
		return appendDecoded(dst, path, false)
	case decodeMore:
		return appendDecoded(dst, path, true)
	case slash:
		return appendSlashes(dst, path)
	case backslash:
		return appendReplaced(dst, path, '\\', '/')
	case endQuery:
		return appendUntil(dst, path, '?')
	case endFragment:
		return appendUntil(dst, path, '#')
	case cut:
		return appendCut(dst, path)
	case merge:
		return appendMerged(dst, path)
	default:
		return appendResolved(dst, path)
	}
}

// appendDecoded decodes once. What has to be an escape stays one, in upper case,
// as prefixes have it, and a percent sign that begins none becomes one: what is
// left is what one decoding makes of it, and the next one, which is more, begins
// with the escaped percent signs.
func appendDecoded(dst, path []byte, more bool) []byte {
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			dst = append(dst, path[i])
			continue
		}
		if more && isEscape(path[i:]) && path[i+1] == '2' && path[i+2] == '5' {
			i += 2
		}
		// Its digits follow, wherever the percent sign came from.
		if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
			dst = append(dst, "%25"...)
			continue
		}
		c := unhex(path[i+1])<<4 | unhex(path[i+2])
		i += 2
		if isUnreserved(c) || c == '\\' || c == ';' || c == '?' || c == '#' {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

func appendSlashes(dst, path []byte) []byte {
	for i := 0; i < len(path); i++ {
		c := path[i]
		if isEscape(path[i:]) && path[i+1] == '2' && path[i+2]|0x20 == 'f' {
			c = '/'
			i += 2
		}
		dst = append(dst, c)
	}
	return dst
}

func appendReplaced(dst, path []byte, from, to byte) []byte {
	for _, c := range path {
		if c == from {
			c = to
		}
		dst = append(dst, c)
	}
	return dst
}

func appendUntil(dst, path []byte, end byte) []byte {
	if at := bytes.IndexByte(path, end); at >= 0 {
		path = path[:at]
	}
	return append(dst, path...)
}

// appendCut leaves out each ";" and what follows it in its segment.
func appendCut(dst, path []byte) []byte {
	within := false
	for _, c := range path {
		within = c == ';' || within && c != '/'
		if !within {
			dst = append(dst, c)
		}
	}
	return dst
}

// appendMerged makes one slash of several.
func appendMerged(dst, path []byte) []byte {
	for i, c := range path {
		if c != '/' || i == 0 || path[i-1] != '/' {
			dst = append(dst, c)
		}
	}
	return dst
}

// appendResolved resolves dot segments and leaves empty ones alone. A path that
// does not begin with a slash has no segments.
func appendResolved(dst, path []byte) []byte {
	if len(path) == 0 || path[0] != '/' {
		return append(dst, path...)
	}
	start := len(dst)
	for len(path) > 0 {
		segment := firstSegment(path)
		path = path[len(segment):]
		switch string(segment) {
		case "/.":
		case "/..":
			dst = dst[:max(start, bytes.LastIndexByte(dst, '/'))]
		default:
			dst = append(dst, segment...)
			continue
		}
		if len(path) == 0 {
			dst = append(dst, '/')
		}
	}
	return dst
}

// firstSegment is the first one of path with the slash in front of it.
func firstSegment(path []byte) []byte {
	if end := bytes.IndexByte(path[1:], '/'); end >= 0 {
		return path[:1+end]
	}
	return path
}
