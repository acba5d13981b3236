package proxy

import (
	"strings"
	"time"

	"upfront/proxy/http2"
)

// asked is what the first bytes of a connection ask for.
type asked uint8

const (
	asksHTTP1 asked = iota
	asksHTTP2       // with prior knowledge (RFC 9113 §3.3)
	endsUnasked
)

// sniff looks whether the client speaks HTTP/2, where it may without TLS. Nothing
// is taken.
func (c *client) sniff() asked {
	settings := c.server.settings.Load()
	if !settings.CleartextHTTP2 || c.secure() {
		return asksHTTP1
	}
	if c.read == c.have && !c.awaitBytes() { // something came with the PROXY header
		return endsUnasked
	}
	since := time.Now()
	for {
		got := c.buffered()
		if len(got) >= len(http2.Preface) && strings.HasPrefix(string(got[:len(http2.Preface)]), http2.Preface) {
			return asksHTTP2
		}
		if len(got) >= len(http2.Preface) || !strings.HasPrefix(http2.Preface, string(got)) {
			return asksHTTP1
		}
		if c.headSince.IsZero() {
			c.headSince = since
			c.armHead(since)
		}
		if err := c.readMore(settings.headLimits()); err != nil {
			return asksHTTP1 // whose head did not come in time
		}
	}
}
