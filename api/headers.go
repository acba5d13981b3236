package api

import (
	"slices"
	"strings"
)

// validateHeaders judges what a spec says about headers and paths of requests.
func (s Spec) validateHeaders() error {
	if s.ClientIPHeader != "" && !isToken(s.ClientIPHeader) {
		return invalid("--client-ip-header",
			"client IP header %q is not a header name: set --client-ip-header to something like CF-Connecting-IP", s.ClientIPHeader)
	}
	for _, list := range []struct {
		flag  string
		names []string
	}{{"--log-request-header", s.LogRequestHeaders}, {"--log-response-header", s.LogResponseHeaders}} {
		if len(list.names) > maxList {
			return invalid(list.flag, "%d headers are too many: at most %d %s flags", len(list.names), maxList, list.flag)
		}
		for _, name := range list.names {
			if !isToken(name) {
				return invalid(list.flag, "logged header %q is not a header name: set %s to something like Cache-Control",
					name, list.flag)
			}
		}
	}
	if len(s.ExcludeMetricsPaths) > maxList {
		return invalid("--exclude-metrics-path", "%d paths are too many: at most %d --exclude-metrics-path flags",
			len(s.ExcludeMetricsPaths), maxList)
	}
	if i := slices.IndexFunc(s.ExcludeMetricsPaths, func(path string) bool {
		return !strings.HasPrefix(path, "/") || !isVisible(path) || strings.ContainsAny(path, "?#")
	}); i >= 0 {
		return invalid("--exclude-metrics-path",
			"path %q is none that a request has: set --exclude-metrics-path to something like /up", s.ExcludeMetricsPaths[i])
	}
	return nil
}
