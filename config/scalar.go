package config

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// text reads what must be text. What YAML reads as a number or a truth value
// has to be quoted, so that 1.10 never becomes 1.1.
func (d *decoder) text(v value) (string, bool) {
	switch n := v.node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		d.failValue(v, "must be text: write it in quotes as %q", n.GetToken().Value)
	default:
		d.failKind(v, "text")
	}
	return "", false
}

// scalar reads text, or a number or truth value as it is written.
func (d *decoder) scalar(v value) (string, bool) {
	switch n := v.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return d.text(v)
}

func (d *decoder) failKind(v value, wanted string) {
	if v.empty() {
		d.failValue(v, "has no value: write %s, or remove the key", wanted)
		return
	}
	d.failValue(v, "must be %s, not %s", wanted, kind(v.node))
}

// flag reads true or false.
func (d *decoder) flag(v value) bool {
	n, ok := v.node.(*ast.BoolNode)
	if !ok {
		if t, text := v.node.(*ast.StringNode); text {
			d.failValue(v, "must be true or false, not %q", t.Value)
		} else {
			d.failKind(v, "true or false")
		}
		return false
	}
	return n.Value
}

// integer reads a whole number from low to high.
func (d *decoder) integer(v value, low, high int64) int64 {
	n, ok := v.node.(*ast.IntegerNode)
	if !ok {
		switch other := v.node.(type) {
		case *ast.StringNode:
			d.failValue(v, "must be a whole number from %d to %d, not %q", low, high, other.Value)
		case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
			d.failValue(v, "must be a whole number from %d to %d, not %s", low, high, other.GetToken().Value)
		default:
			d.failKind(v, "a whole number")
		}
		return 0
	}
	number, ok := plainInteger(n)
	if !ok || number < low || number > high {
		d.failValue(v, "must be a whole number from %d to %d, not %s", low, high, n.GetToken().Value)
		return 0
	}
	return number
}

// plainInteger refuses 0x10, 010 and 1_000: what a person reads and what YAML
// reads must be the same.
func plainInteger(n *ast.IntegerNode) (int64, bool) {
	written := n.GetToken().Value
	number, err := strconv.ParseInt(written, 10, 64)
	if err != nil || strconv.FormatInt(number, 10) != strings.TrimPrefix(written, "+") {
		return 0, false
	}
	return number, true
}

const durationHint = "write it like 500ms, 30s or 2m"

// duration reads Go's syntax, or a whole number of seconds as deploy.yml has it.
func (d *decoder) duration(v value) (time.Duration, bool) {
	switch n := v.node.(type) {
	case *ast.IntegerNode:
		seconds, ok := plainInteger(n)
		if !ok || seconds > math.MaxInt64/int64(time.Second) || seconds < 0 {
			d.failValue(v, "%s is not a duration: %s", n.GetToken().Value, durationHint)
			return 0, false
		}
		return time.Duration(seconds) * time.Second, true
	case *ast.StringNode:
		parsed, err := time.ParseDuration(n.Value)
		if err != nil {
			d.failValue(v, "%q is not a duration: %s", n.Value, durationHint)
			return 0, false
		}
		if parsed < 0 {
			d.failValue(v, "%q is negative: %s", n.Value, durationHint)
			return 0, false
		}
		return parsed, true
	}
	d.failKind(v, "a duration such as 30s")
	return 0, false
}

const maxTimeout = 30 * 24 * time.Hour

// positive reads a duration above zero.
func (d *decoder) positive(v value) time.Duration {
	parsed, ok := d.duration(v)
	if ok && (parsed < time.Millisecond || parsed > maxTimeout) {
		d.failValue(v, "%s is out of range: choose from 1ms to %dh", parsed, int(maxTimeout.Hours()))
		return 0
	}
	return parsed
}

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"kib", 1 << 10},
	{"mib", 1 << 20},
	{"gib", 1 << 30},
	{"kb", 1 << 10},
	{"mb", 1 << 20},
	{"gb", 1 << 30},
	{"k", 1 << 10},
	{"m", 1 << 20},
	{"g", 1 << 30},
	{"b", 1},
	{"", 1},
}

// size reads bytes as a number, or with a unit; KB is 1024 bytes.
func (d *decoder) size(v value, low, high int64) int64 {
	written, ok := "", false
	switch n := v.node.(type) {
	case *ast.IntegerNode:
		written, ok = n.GetToken().Value, true
	case *ast.StringNode:
		written, ok = n.Value, true
	}
	if !ok {
		d.failKind(v, "a size such as 64KB")
		return 0
	}
	bytes, ok := parseSize(written)
	if !ok {
		d.failValue(v, "%q is not a size: write it like 64KB, 10MB or a number of bytes", written)
		return 0
	}
	if bytes < low || bytes > high {
		d.failValue(v, "%s is out of range: choose from %d to %d bytes", written, low, high)
		return 0
	}
	return bytes
}

func parseSize(written string) (int64, bool) {
	lower := strings.ToLower(written)
	for _, unit := range sizeUnits {
		digits, found := strings.CutSuffix(lower, unit.suffix)
		if !found {
			continue
		}
		digits = strings.TrimRight(digits, " ")
		number, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || int64(number) > math.MaxInt64/unit.bytes {
			return 0, false
		}
		return int64(number) * unit.bytes, true
	}
	return 0, false
}

// choice reads one of a few words.
func (d *decoder) choice(v value, words ...string) string {
	written, ok := d.text(v)
	if !ok {
		return ""
	}
	for _, word := range words {
		if written == word {
			return word
		}
	}
	d.failValue(v, "%q is not known%s: choose %s", written, didYouMean(written, words), strings.Join(words, ", "))
	return ""
}
