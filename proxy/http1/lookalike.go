package http1

// looksLikeFraming reports whether name is that of a field that frames the body
// but for characters that are no letters: "Content--Length", "Transfer9Encoding'".
// No two programs have to agree about who takes it for the real one.
func looksLikeFraming(name []byte) bool {
	if len(name) < len("content-length") {
		return false
	}
	return hasWords(name, "content", "length") || hasWords(name, "transfer", "encoding")
}

// hasWords reports whether the letters of name spell first, and then second apart
// from it, in any case.
func hasWords(name []byte, first, second string) bool {
	rest, ok := cutWord(skipOthers(name), first)
	if !ok {
		return false
	}
	between := skipOthers(rest)
	if len(between) == len(rest) {
		return false
	}
	rest, ok = cutWord(between, second)
	return ok && len(skipOthers(rest)) == 0
}

func cutWord(b []byte, word string) (rest []byte, ok bool) {
	if len(b) < len(word) || !equalFold(b[:len(word)], word) {
		return nil, false
	}
	return b[len(word):], true
}

// skipOthers cuts what is no letter off the front of b.
func skipOthers(b []byte) []byte {
	for len(b) > 0 && (lower(b[0]) < 'a' || lower(b[0]) > 'z') {
		b = b[1:]
	}
	return b
}
