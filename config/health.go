package config

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"upfront/api"
)

func (d *decoder) healthCheck(v value, check *api.HealthCheck) {
	d.mapping(v,
		key{"path", into(&check.Paths, d.healthPaths)},
		key{"grpc", into(&check.GRPC, d.grpcService)},
		key{"port", func(v value) { check.Port = int(d.integer(v, 0, 65535)) }},
		key{"interval", into(&check.Interval, d.apiDuration)},
		key{"timeout", into(&check.Timeout, d.apiDuration)},
		key{"max_attempts", func(v value) { check.MaxAttempts = int(d.integer(v, 1, 1000)) }},
		key{"healthy_threshold", func(v value) { check.HealthyThreshold = int(d.integer(v, 1, 1000)) }},
		key{"host", into(&check.Host, d.healthHost)},
		key{"headers", into(&check.Headers, d.healthHeaders)},
		key{"status", into(&check.Status, d.statusRange)},
		key{"body", func(v value) { check.Body, _ = d.scalar(v) }},
	)
}

func (d *decoder) healthPaths(v value) []string {
	items := d.items(v)
	if len(items) == 0 {
		d.failValue(v, "has no path: write one such as /up, or remove the key")
	}
	var all []string
	for _, item := range items {
		written, ok := d.text(item)
		if !ok {
			continue
		}
		if !strings.HasPrefix(written, "/") || strings.ContainsFunc(written, outsidePath) {
			d.failValue(item, "%q is not a path: start it with / and percent-encode what is special", written)
			continue
		}
		all = append(all, written)
	}
	return all
}

func outsidePath(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }

// healthHost reads a Host header, which may have a port.
func (d *decoder) healthHost(v value) string {
	written, ok := d.text(v)
	if ok && written != "" && strings.ContainsFunc(written, func(r rune) bool { return outsidePath(r) || r == '/' || r == '?' || r == '@' }) {
		d.failValue(v, "%q is not a Host header: write it like app.example.com", written)
		return ""
	}
	return written
}

func (d *decoder) healthHeaders(v value) map[string]string {
	if v.empty() {
		return nil
	}
	all := map[string]string{}
	for _, f := range d.fields(v) {
		written, ok := d.scalar(f.value)
		switch {
		case !ok:
		case !fieldNameOK(f.key):
			d.fail(f.at, "%s: %q is not a header name: write it like X-Probe", v.path, f.key)
		case strings.ContainsFunc(written, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			d.failValue(f.value, "has a line break or control character: write it on one line")
		case reservedInProbe[strings.ToLower(f.key)] != "":
			d.fail(f.at, "%s: %s: remove it", f.path, reservedInProbe[strings.ToLower(f.key)])
		default:
			all[f.key] = written
		}
	}
	return all
}

// reservedInProbe are header fields that the probe itself writes.
var reservedInProbe = map[string]string{
	"host":              "the Host header has its own key, health_check.host",
	"content-length":    "a probe has no body",
	"transfer-encoding": "a probe has no body",
	"connection":        "a probe always closes its connection",
}

// fieldNameOK is the token of RFC 9110 section 5.6.2.
func fieldNameOK(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return name != ""
}

// statusRange reads one code or a range of codes.
func (d *decoder) statusRange(v value) string {
	var written string
	if n, number := v.node.(*ast.IntegerNode); number {
		written = n.GetToken().Value
	} else if text, ok := d.text(v); ok {
		written = text
	} else {
		return ""
	}
	low, high, isRange := strings.Cut(written, "-")
	if !isRange {
		high = low
	}
	from, errLow := strconv.Atoi(low)
	to, errHigh := strconv.Atoi(high)
	if errLow != nil || errHigh != nil || from < 100 || to > 599 || from > to {
		d.failValue(v, "%q is not a status: write one code from 100 to 599, or a range such as 200-399", written)
		return ""
	}
	return written
}
