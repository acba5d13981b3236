package health

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What is kept of a target's checks; a target can send anything.
const (
	maxChecks    = 32
	maxCheckName = 64  // bytes
	maxCheckText = 128 // bytes
)

// parseChecks returns the members of the `checks` object of a JSON answer, name
// to text, or nil when body is anything else. When there are more than
// maxChecks, the failed ones are kept first.
func parseChecks(body []byte) map[string]string {
	body = bytes.TrimLeft(body, " \t\r\n")
	if len(body) == 0 || body[0] != '{' || !bytes.Contains(body, []byte(`"checks"`)) {
		return nil
	}
	var answer struct {
		Checks json.RawMessage `json:"checks"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil
	}
	var raw map[string]json.RawMessage
	if json.Unmarshal(answer.Checks, &raw) != nil || len(raw) == 0 {
		return nil
	}
	all := make(map[string]string, len(raw))
	for name, value := range raw {
		all[printable(name, maxCheckName)] = checkText(value)
	}
	if len(all) <= maxChecks {
		return all
	}
	names, _ := sortedChecks(all)
	kept := make(map[string]string, maxChecks)
	for _, name := range names[:maxChecks] {
		kept[name] = all[name]
	}
	return kept
}

// checkText is the value of one check: a bool, text or number as it is, an
// object's status, the first failed element of a list.
func checkText(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		var text string
		if json.Unmarshal(raw, &text) == nil {
			return printable(text, maxCheckText)
		}
	case '{':
		return objectText(raw)
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
			return "[]"
		}
		// Only one level: a list within a list is not a check.
		for _, element := range list {
			if text := elementText(element); failedCheck(text) {
				return text
			}
		}
		return elementText(list[0])
	}
	return printable(string(raw), maxCheckText)
}

// elementText is the text of one element of a list of checks.
func elementText(raw json.RawMessage) string {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		return "[…]"
	}
	return checkText(raw)
}

// objectText is what an object says of itself.
func objectText(raw json.RawMessage) string {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return "{}"
	}
	for _, key := range []string{"status", "healthy", "ok"} {
		value := bytes.TrimSpace(object[key])
		if len(value) > 0 && value[0] != '{' && value[0] != '[' {
			return checkText(value)
		}
	}
	return "{…}"
}

// failedCheck reports whether a check's text says that it failed. Text that is
// not known, such as a number or a version, has not.
func failedCheck(text string) bool {
	switch strings.ToLower(text) {
	case "false", "fail", "failed", "failing", "failure", "error", "err",
		"down", "unhealthy", "critical", "unavailable", "unreachable",
		"disconnected", "dead", "timeout", "ko", "no", "not ok":
		return true
	}
	return false
}

// sortedChecks returns the names, failed checks first, and how many failed.
func sortedChecks(checks map[string]string) (names []string, failed int) {
	if len(checks) == 0 {
		return nil, 0
	}
	names = make([]string, 0, len(checks))
	for name, text := range checks {
		names = append(names, name)
		if failedCheck(text) {
			failed++
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		failedA, failedB := failedCheck(checks[a]), failedCheck(checks[b])
		if failedA != failedB {
			if failedA {
				return -1
			}
			return 1
		}
		return cmp.Compare(a, b)
	})
	return names, failed
}

// printable returns text in at most limit bytes and without what could move a
// terminal's cursor or break a log line: these words come from the target.
func printable(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	if len(text) <= limit {
		return text
	}
	cut := limit - len("…")
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
