package http1

import "bytes"

// validHost is uri-host [ ":" port ] of RFC 9110 §7.2, with a host that is not
// empty (RFC 9110 §4.2.1).
func validHost(h []byte) bool {
	end := 0
	if len(h) > 0 && h[0] == '[' {
		end = bytes.IndexByte(h, ']') + 1
		if end == 0 || !validIPv6(h[1:end-1]) {
			return false
		}
	} else {
		for end < len(h) && class[h[end]]&classHost != 0 {
			if h[end] == '%' && !isEncoded(h[end:]) {
				return false
			}
			end++
		}
	}
	if end == 0 {
		return false
	}
	if end == len(h) {
		return true
	}
	if h[end] != ':' {
		return false
	}
	port := h[end+1:]
	if len(port) == 0 {
		return true
	}
	n, ok := parseDigits(port)
	return ok && n <= 65535
}

// isEncoded reports whether b begins with pct-encoded (RFC 3986 §2.1).
func isEncoded(b []byte) bool {
	return len(b) >= 3 && b[0] == '%' && class[b[1]]&class[b[2]]&classHex != 0
}

// validIPv6 is IPv6address of RFC 3986 §3.2.2: eight groups, of which "::"
// stands for one or more zeros and an IPv4 address for the last two. A zone has
// no place in a URI's host on the wire, and IPvFuture has no users.
func validIPv6(b []byte) bool {
	groups, gap := 0, false
	if len(b) >= 2 && b[0] == ':' {
		if b[1] != ':' {
			return false
		}
		gap, b = true, b[2:]
	}
	for len(b) > 0 {
		n := 0
		for n < len(b) && class[b[n]]&classHex != 0 {
			n++
		}
		if n < len(b) && b[n] == '.' {
			return validIPv4(b) && (groups == 6 && !gap || groups < 6 && gap)
		}
		if n == 0 || n > 4 {
			return false
		}
		groups++
		if b = b[n:]; len(b) == 0 {
			break
		}
		if b[0] != ':' || len(b) == 1 {
			return false
		}
		if b = b[1:]; b[0] == ':' {
			if gap {
				return false
			}
			gap, b = true, b[1:]
		}
	}
	return groups == 8 && !gap || groups < 8 && gap
}

// validIPv4 is IPv4address of RFC 3986 §3.2.2.
func validIPv4(b []byte) bool {
	for octet := range 4 {
		n := 0
		for n < len(b) && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		v, ok := parseDigits(b[:n])
		if !ok || v > 255 || n > 1 && b[0] == '0' {
			return false
		}
		if b = b[n:]; octet == 3 {
			break
		}
		if len(b) == 0 || b[0] != '.' {
			return false
		}
		b = b[1:]
	}
	return len(b) == 0
}
