package proxy

import "unicode/utf8"

// appendJSON appends s as it stands between the quotes of a JSON string: control
// characters, quotes and backslashes escaped, and each byte that is not UTF-8
// replaced by U+FFFD (RFC 8259 §7 and §8.1).
func appendJSON(b []byte, s string) []byte {
	if plain(s) {
		return append(b, s...)
	}
	from := 0 // s[from:i] goes out as it is
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(b, s[from:i]...)
				b = append(b, `\ufffd`...)
				from = i + 1
			}
			i += size
			continue
		}
		if !plainByte(c) {
			b = append(b, s[from:i]...)
			b = appendEscaped(b, c)
			from = i + 1
		}
		i++
	}
	return append(b, s[from:]...)
}

func appendEscaped(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// plain reports whether s is ASCII that needs no escape, as most of what is logged
// is: eight bytes at a time, the last of which may have been seen before.
func plain(s string) bool {
	if len(s) < 8 {
		for i := range len(s) {
			if !plainByte(s[i]) {
				return false
			}
		}
		return true
	}
	for at := 0; at+8 < len(s); at += 8 {
		if !plainWord(word(s[at:])) {
			return false
		}
	}
	return plainWord(word(s[len(s)-8:]))
}

func plainByte(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// plainWord is plainByte of eight bytes: their high bits stay clear unless one was
// set already, or a subtraction borrowed, which it does below a space, and where the
// character that is looked for left a zero.
func plainWord(w uint64) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	quote, slash := w^each*'"', w^each*'\\'
	return (w|(w-each*' ')|(quote-each)|(slash-each))&high == 0
}

// word is the first eight bytes of s; one load.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
