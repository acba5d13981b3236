package service

import "strings"

// LoggedHeader is a header that the access log shows under Key.
type LoggedHeader struct{ Name, Key string }

// LoggedHeaders are those called names, with kamal-proxy's keys: prefix "req" makes
// req_cache_control of Cache-Control. The line has a key for the content type and for
// its length in any case; they are left out, and so is a second one of the same key.
func LoggedHeaders(prefix string, names []string) []LoggedHeader {
	var all []LoggedHeader
	seen := map[string]bool{prefix + "_content_type": true, prefix + "_content_length": true}
	for _, name := range names {
		key := prefix + "_" + strings.ReplaceAll(strings.ToLower(name), "-", "_")
		if !seen[key] {
			seen[key] = true
			all = append(all, LoggedHeader{name, key})
		}
	}
	return all
}
