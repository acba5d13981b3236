package route

import (
	"fmt"
	"strings"
)

// ParsePathPrefix checks the path prefix of a route and returns it with one slash
// in front and none at the end, or "/". Its errors say what to write.
func ParsePathPrefix(s string) (string, error) {
	if strings.HasSuffix(s, "/*") {
		return "", fmt.Errorf("path prefix %q: leave out the *, a prefix matches all that is below it", s)
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '?' || c == '#':
			return "", fmt.Errorf("path prefix %q contains %q: routes match the path only, without query and fragment", s, c)
		case c <= ' ' || c == 0x7f:
			return "", fmt.Errorf("path prefix %q contains a space or a control character", s)
		case c >= 0x80:
			return "", fmt.Errorf("path prefix %q is not ASCII: write it percent-encoded, as clients send it", s)
		case c == '%' && !isEscape(s[i:]):
			return "", fmt.Errorf("path prefix %q contains a %% that is not followed by two hexadecimal digits", s)
		}
	}
	trimmed := strings.Trim(s, "/")
	if trimmed == "" {
		return "/", nil
	}
	prefix := "/" + trimmed
	plain := string(AppendPlain(nil, []byte(prefix)))
	if !strings.EqualFold(plain, prefix) { // the case of escapes may differ
		return "", fmt.Errorf("path prefix %q is not in its plain form: write %q", s, plain)
	}
	return plain, nil
}
