package acme

import (
	"context"
	"crypto/x509"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
)

// host is one name and its certificate. Guarded by Certificates.mu, but for name; the
// worker that made it busy is the only one to change the certificate.
type host struct {
	name     string
	service  string
	ask      string // "" for one that is deployed by name
	plan     []*source
	caches   []string
	unusable string // why it can never have a certificate; "" when it can

	has     bool
	cert    certmagic.Certificate // when has
	from    *source               // whose cert is
	foreign bool                  // cert is of an authority that was wanted before

	due      time.Time // of the next attempt; zero is at once
	renewAt  time.Time // when the authority wants the renewal; zero is not known
	infoAt   time.Time // when to ask it again
	failures int       // in a row
	tried    time.Time // the last attempt
	problem  string    // of the last attempt; "" when it went well

	busy   bool
	cancel context.CancelFunc // while busy
	done   chan struct{}      // closed once the first attempt ended; nil when deployed by name
	ended  bool               // done is closed
	gone   bool               // nobody wants it any more
}

// renewal is when a certificate is due: what the authority asks for, but never in the
// last twentieth of its life; by default when a third of it is left.
func renewal(leaf *x509.Certificate, wish time.Time) time.Time {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	if wish.IsZero() {
		return leaf.NotAfter.Add(-life / 3)
	}
	if latest := leaf.NotAfter.Add(-life / 20); wish.After(latest) {
		return latest
	}
	return wish
}

// plain is a name as certificates have it.
func plain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// matches finds the value for a name: of itself, of the wildcard above it, of any.
func matches[V any](patterns map[string]V, name string) (value V, ok bool) {
	if value, ok = patterns[name]; ok {
		return value, true
	}
	if _, parent, below := strings.Cut(name, "."); below {
		if value, ok = patterns["*."+parent]; ok {
			return value, true
		}
	}
	value, ok = patterns[""]
	return value, ok
}
