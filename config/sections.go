package config

import (
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"upfront/api"
)

// key is one key that a mapping may have, and what reads its value.
type key struct {
	name string
	read func(value)
}

// mapping reads a mapping whose keys are known.
func (d *decoder) mapping(v value, keys ...key) {
	names := make([]string, len(keys))
	readers := make(map[string]func(value), len(keys))
	for i, k := range keys {
		names[i], readers[k.name] = k.name, k.read
	}
	for _, f := range d.fields(v) {
		if read, known := readers[f.key]; known {
			read(f.value)
			continue
		}
		if v.path == "" && strings.HasPrefix(f.key, "x-") {
			continue // a shelf for anchors
		}
		d.fail(f.at, "%s: unknown key%s: choose %s, or remove it", f.path, didYouMean(f.key, names), strings.Join(names, ", "))
	}
}

// into makes the reader that stores what read returns.
func into[T any](to *T, read func(value) T) func(value) {
	return func(v value) { *to = read(v) }
}

// document reads the root of a file.
func (d *decoder) document(root ast.Node) {
	if d.aliases == nil {
		d.aliases = map[*ast.AliasNode]ast.Node{}
		d.routes = map[string]claim{}
	}
	d.bind(root, map[string]ast.Node{})
	d.mapping(
		d.at(root, ""),
		key{"listeners", d.listeners},
		key{"tls", d.tls},
		key{"control", d.control},
		key{"state", into(&d.file.State, d.filePath)},
		key{"trusted_proxies", into(&d.file.TrustedProxies, d.networks)},
		key{"upgrades", into(&d.file.Upgrades, d.protocols)},
		key{"limits", d.limits},
		key{"headers", d.headers},
		key{"http2", d.http2},
		key{"log", d.log},
		key{"drain_timeout", into(&d.file.DrainTimeout, d.positive)},
		key{"error_pages", into(&d.file.ErrorPages, d.folder)},
		key{"services", d.services},
	)
}

func (d *decoder) listeners(v value) {
	d.mapping(v,
		key{"http", into(&d.file.Listeners.HTTP, d.listenAt)},
		key{"https", into(&d.file.Listeners.HTTPS, d.listenAt)},
	)
}

func (d *decoder) control(v value) {
	control := &d.file.Control
	d.mapping(v,
		key{"socket", into(&control.Socket, d.filePath)},
		key{"group", into(&control.Group, d.word)},
	)
}

const (
	maxHeadBytes = 1 << 20
	maxBodyRate  = 1 << 30
)

func (d *decoder) limits(v value) {
	limits := &d.file.Limits
	d.mapping(v,
		key{"connections", func(v value) { limits.Connections = int(d.integer(v, 1, 10_000_000)) }},
		key{"connections_per_ip", func(v value) { limits.PerIP = int(d.integer(v, 0, 10_000_000)) }},
		key{"head_bytes", func(v value) { limits.HeadBytes = int(d.size(v, 1<<10, maxHeadBytes)) }},
		key{"fields", func(v value) { limits.Fields = int(d.integer(v, 1, 10_000)) }},
		key{"handshake_timeout", into(&limits.Handshake, d.positive)},
		key{"head_timeout", into(&limits.HeadTimeout, d.positive)},
		key{"idle_timeout", into(&limits.IdleTimeout, d.positive)},
		key{"connect_timeout", into(&limits.ConnectTimeout, d.positive)},
		key{"body_timeout", into(&limits.BodyTimeout, d.positive)},
		key{"body_rate", into(&limits.BodyRate, d.rate)},
		key{"body_grace", into(&limits.BodyGrace, d.positive)},
		key{"tunnel_timeout", into(&limits.TunnelTimeout, d.positive)},
	)
}

func (d *decoder) headers(v value) {
	d.mapping(v,
		key{"underscores", func(v value) { d.file.Headers.Underscores = d.choice(v, "drop", "keep") }},
	)
}

func (d *decoder) http2(v value) {
	d.mapping(v,
		key{"cleartext", into(&d.file.HTTP2.Cleartext, d.flag)},
	)
}

// rate reads bytes a second; 0 or off is off, which Limits writes as a negative
// one because its zero means the default.
func (d *decoder) rate(v value) int {
	if n, ok := v.node.(*ast.StringNode); ok && n.Value == "off" {
		return -1
	}
	if n, ok := v.node.(*ast.BoolNode); ok && !n.Value {
		return -1
	}
	failed := len(d.errs)
	bytes := int(d.size(v, 0, maxBodyRate))
	if bytes == 0 && len(d.errs) == failed {
		return -1
	}
	return bytes
}

func (d *decoder) log(v value) {
	log := &d.file.Log
	d.mapping(v,
		key{"level", func(v value) { log.Level = d.choice(v, "debug", "info", "warn", "error") }},
		key{"access", into(&log.Access, d.access)},
		key{"format", func(v value) { log.Format = d.choice(v, "json") }},
	)
}

// access reads on, off or the path of a file.
func (d *decoder) access(v value) string {
	if n, ok := v.node.(*ast.BoolNode); ok {
		if n.Value {
			return "on"
		}
		return "off"
	}
	if n, ok := v.node.(*ast.StringNode); ok && (n.Value == "on" || n.Value == "off") {
		return n.Value
	}
	written, ok := d.text(v)
	if ok && !filepath.IsAbs(written) {
		d.failValue(v, "%q is neither on, off nor an absolute path: choose one of these", written)
		return ""
	}
	return written
}

// filePath reads an absolute path: the daemon's working folder must not matter.
func (d *decoder) filePath(v value) string {
	written, ok := d.text(v)
	if ok && (!filepath.IsAbs(written) || strings.ContainsRune(written, 0)) {
		d.failValue(v, "%q is not an absolute path: start it with /", written)
		return ""
	}
	return written
}

// folder reads the absolute path of a folder.
func (d *decoder) folder(v value) Folder {
	return Folder{Path: d.filePath(v), Line: v.at.line, Column: v.at.column}
}

// word reads text that is not blank.
func (d *decoder) word(v value) string {
	written, ok := d.text(v)
	if ok && strings.TrimSpace(written) == "" {
		d.failValue(v, "is blank: write a name, or remove the key")
	}
	return written
}

// networks reads the addresses of proxies that are trusted.
func (d *decoder) networks(v value) []netip.Prefix {
	var all []netip.Prefix
	for _, item := range d.items(v) {
		written, ok := d.text(item)
		if !ok {
			continue
		}
		if address, err := netip.ParseAddr(written); err == nil && address.Zone() == "" {
			all = append(all, netip.PrefixFrom(address, address.BitLen()))
			continue
		}
		network, err := netip.ParsePrefix(written)
		if err != nil {
			d.failValue(item, "%q is not a network: write it like 10.0.0.0/8, or one address", written)
			continue
		}
		if network != network.Masked() {
			d.failValue(item, "%q has bits set behind its length: write %s", written, network.Masked())
			continue
		}
		all = append(all, network)
	}
	return all
}

// apiDuration reads a duration above zero for the control API's types.
func (d *decoder) apiDuration(v value) api.Duration { return api.Duration(d.positive(v)) }

// offDuration reads a duration; 0 or off is off, which the API writes as a
// negative one because its zero means the default.
func (d *decoder) offDuration(v value) api.Duration {
	if n, ok := v.node.(*ast.StringNode); ok && n.Value == "off" {
		return -1
	}
	parsed, ok := d.duration(v)
	switch {
	case ok && parsed == 0:
		return -1
	case ok:
		return api.Duration(d.positive(v))
	}
	return 0
}

// optionalDuration reads a duration whose zero is off.
func (d *decoder) optionalDuration(v value) api.Duration {
	parsed, _ := d.duration(v)
	if parsed > maxTimeout {
		return api.Duration(d.positive(v))
	}
	return api.Duration(parsed.Truncate(time.Millisecond))
}
