package http1

import "encoding/binary"

// Classes of a byte in the grammar of RFC 9110 §5.6.2 and RFC 9112 §3.2.
const (
	classToken   = 1 << iota // tchar
	classOdd                 // tchar that is no letter, digit or hyphen
	classTarget              // may stand in a request-target
	classSuspect             // of those, one that a path is looked at twice for
	classHost                // may stand in a reg-name, percent sign included
	classHex                 // HEXDIG
)

var class = buildClasses()

func buildClasses() (t [256]uint8) {
	set := func(chars string, c uint8) {
		for i := range len(chars) {
			t[chars[i]] |= c
		}
	}
	const digits = "0123456789"
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	set(digits+letters, classToken|classHost)
	set("-", classToken)
	set("!#$%&'*+.^_`|~", classToken|classOdd)
	// reg-name of RFC 3986 §3.2.2, without the comma: a list of hosts is how a
	// folded duplicate Host looks.
	set("-._~%!$&'()*+;=", classHost)
	set(digits+"abcdefABCDEF", classHex)
	// The request-target: printable ASCII. A fragment never belongs on the
	// wire. Characters that RFC 3986 leaves out but browsers send raw
	// ({ | } ^ ` and, in a query, a backslash) pass.
	for c := 0x21; c <= 0x7e; c++ {
		if c != '#' {
			t[c] |= classTarget
		}
	}
	set("%\\", classSuspect)
	return t
}

// validValue reports whether v holds only field-vchar, SP and HTAB (RFC 9110
// §5.5): no NUL, no CR or LF, no other control byte.
func validValue(v []byte) bool {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for len(v) >= 8 {
		x := binary.LittleEndian.Uint64(v)
		del := x ^ (0x7f * ones)
		if ((x-0x20*ones)&^x|(del-ones)&^del)&highs != 0 && !validBytes(v[:8]) {
			return false
		}
		v = v[8:]
	}
	return validBytes(v)
}

func validBytes(v []byte) bool {
	for _, c := range v {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// equalFold reports whether b is s, letters in any case. s is of lower-case
// letters, digits and hyphens, and b has no control bytes; then setting one bit
// folds a letter and makes no other byte look like one of s.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if b[i]|0x20 != s[i] {
			return false
		}
	}
	return true
}

// trim cuts optional white space (SP and HTAB) from both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// nextElement cuts the first element off a comma-separated list (RFC 9110
// §5.6.1) and trims it. Empty elements are returned as such.
func nextElement(list []byte) (element, rest []byte) {
	for i, c := range list {
		if c == ',' {
			return trim(list[:i]), list[i+1:]
		}
	}
	return trim(list), nil
}

// parseDigits reads 1*DIGIT of at most 18 digits, which cannot overflow.
func parseDigits(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
