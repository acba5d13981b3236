package proxy

import (
	"net/netip"
	"time"

	"upfront/page"
	"upfront/proxy/http1"
)

// Settings are what can be replaced while the server runs. Zero fields mean the
// default named beside them; negative durations switch a deadline off.
type Settings struct {
	// TrustedProxies may say who the client is: what they send in X-Forwarded-*,
	// X-Request-Id and X-Request-Start is kept. None by default.
	TrustedProxies []netip.Prefix
	// MaxConnections of clients at once. Default, and most, is half of the
	// descriptors that the process may have beyond a reserve of 32; where that is
	// not known, no limit. Negative is the default. At the limit connections that
	// idle are closed; where none does, new ones wait in the kernel's queue.
	MaxConnections int
	// MaxPerAddress is how many connections one address may have, one /64 in IPv6;
	// more are answered 429. TrustedProxies may have any number. Zero or negative
	// is no limit.
	MaxPerAddress int
	// Upgrades are the protocols besides WebSocket that a client may switch to
	// (RFC 9110 §7.8), such as "tcp" or "SPDY/3.1"; none by default. Never a form of
	// HTTP, nor TLS: what is inside could not be judged.
	Upgrades []string
	// MaxHeadBytes of a request head. Default 65536; more is answered 431.
	MaxHeadBytes int
	// MaxFields of a request head. Default 100; more is answered 431.
	MaxFields int
	// HandshakeTimeout from the first packet of a connection to its first request,
	// where it begins with a PROXY header or a TLS handshake: both have to be over.
	// Default 10s.
	HandshakeTimeout time.Duration
	// HeadTimeout from the first byte of a head to its last. Default 9s, so that whoever
	// is slow is gone within ten.
	HeadTimeout time.Duration
	// IdleTimeout of a kept connection between two requests. Default 60s.
	IdleTimeout time.Duration
	// ConnectTimeout of a connection to a target, name look-up included.
	// Default 2s.
	ConnectTimeout time.Duration
	// BodyTimeout without a byte of progress in the body of a request or in one
	// of known length of a response, and without anything taken of what is written to
	// either side. Default 30s.
	BodyTimeout time.Duration
	// BodyRate in bytes a second that the body of a request has to come at, on
	// average since its beginning, once BodyGrace is over; else 408. Only the time
	// spent waiting for the client counts. Default 500; negative is any.
	BodyRate int
	// BodyGrace that the body of a request has on top of BodyRate. Default 10s;
	// negative is none.
	BodyGrace time.Duration
	// CleartextHTTP2 lets clients speak HTTP/2 without TLS when they begin with it
	// (prior knowledge, RFC 9113 §3.3); never by an upgrade. Default: not.
	CleartextHTTP2 bool
	// KeepUnderscores passes on header names with an underscore. Default: they are
	// dropped, for CGI-like targets take them for others. Those that are such a
	// target's name of a field that means something to us, X_Forwarded_For or
	// Content_Length, are dropped in any case.
	KeepUnderscores bool
	// KamalHeaders has targets see what kamal-proxy sends: X-Kamal-Target with their
	// own address, and the X-Request-Id and X-Request-Start of anyone who sends them.
	// Default: not, and only those of trusted proxies.
	KamalHeaders bool
	// TunnelTimeout without a byte in a tunnel, in both directions, or in the body
	// of a response whose length is not known. Default 1h.
	TunnelTimeout time.Duration
	// ErrorPages for requests that no service answers for. Nil is the built-in
	// ones.
	ErrorPages *page.Set
}

// The defaults of Settings.
const (
	DefaultMaxHeadBytes   = 64 << 10
	DefaultMaxFields      = 100
	DefaultHeadTimeout    = 9 * time.Second
	DefaultIdleTimeout    = 60 * time.Second
	DefaultConnectTimeout = 2 * time.Second
	DefaultBodyTimeout    = 30 * time.Second
	DefaultBodyRate       = 500
	DefaultBodyGrace      = 10 * time.Second
	DefaultTunnelTimeout  = time.Hour

	DefaultHandshakeTimeout = 10 * time.Second
)

func (s Settings) withDefaults() *Settings {
	orInt(&s.MaxHeadBytes, DefaultMaxHeadBytes)
	orInt(&s.MaxFields, DefaultMaxFields)
	orDuration(&s.HandshakeTimeout, DefaultHandshakeTimeout)
	orDuration(&s.HeadTimeout, DefaultHeadTimeout)
	orDuration(&s.IdleTimeout, DefaultIdleTimeout)
	orDuration(&s.ConnectTimeout, DefaultConnectTimeout)
	orDuration(&s.BodyTimeout, DefaultBodyTimeout)
	orInt(&s.BodyRate, DefaultBodyRate)
	orDuration(&s.BodyGrace, DefaultBodyGrace)
	s.BodyGrace = max(s.BodyGrace, 0)
	orDuration(&s.TunnelTimeout, DefaultTunnelTimeout)
	return &s
}

func orInt(v *int, def int) {
	if *v == 0 {
		*v = def
	}
}

func orDuration(v *time.Duration, def time.Duration) {
	if *v == 0 {
		*v = def
	}
}

func (s *Settings) headLimits() http1.Limits {
	return http1.Limits{Bytes: s.MaxHeadBytes, Fields: s.MaxFields}
}

// trusts reports whether addr is one of the trusted proxies.
func (s *Settings) trusts(addr netip.Addr) bool {
	for _, prefix := range s.TrustedProxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
