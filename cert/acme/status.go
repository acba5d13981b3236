package acme

import (
	"math"
	"slices"
	"strings"
	"time"

	"upfront/api"
)

// Status returns every name, sorted: those that were deployed, and those that were asked
// for and have a certificate.
func (c *Certificates) Status() []api.AutomaticCertificate {
	c.mu.Lock()
	all := make([]api.AutomaticCertificate, 0, len(c.hosts))
	for _, h := range c.hosts {
		if h.ask == "" || h.has {
			all = append(all, h.status())
		}
	}
	c.mu.Unlock()
	slices.SortFunc(all, func(a, b api.AutomaticCertificate) int { return strings.Compare(a.Host, b.Host) })
	return all
}

// status is what there is to say of h. The caller holds mu.
func (h *host) status() api.AutomaticCertificate {
	s := api.AutomaticCertificate{
		Host: h.name, Service: h.service, OnDemand: h.ask != "",
		Problem: h.problem, Failures: h.failures,
	}
	if h.has {
		s.Authority, s.NotAfter = h.from.directory, h.cert.Leaf.NotAfter
	}
	switch {
	case h.unusable != "":
		s.Problem = h.unusable
	case h.busy:
		s.Trying = true
	case h.due.IsZero():
		s.NextAttempt = time.Now()
	default:
		s.NextAttempt = h.due
	}
	if h.failures > 0 {
		s.ProblemAt = h.tried
	}
	return s
}

// Counters of the names now, and of what was done since the start.
func (c *Certificates) Counters() map[string]uint64 {
	var missing, valid, troubled, expiry uint64
	now := time.Now()
	c.mu.Lock()
	for _, h := range c.hosts {
		if h.problem != "" || h.unusable != "" {
			troubled++
		}
		if !h.has {
			missing++
			continue
		}
		left := max(h.cert.Leaf.NotAfter.Sub(now), 0)
		if valid == 0 || uint64(left.Seconds()) < expiry {
			expiry = uint64(left.Seconds())
		}
		valid++
	}
	c.mu.Unlock()
	if valid == 0 {
		expiry = math.MaxUint32 // there is nothing to watch
	}
	return map[string]uint64{
		"upfront_acme_certificates":                valid,
		"upfront_acme_certificates_missing":        missing,
		"upfront_acme_certificates_failing":        troubled,
		"upfront_acme_next_expiry_seconds":         expiry,
		"upfront_acme_certificates_obtained_total": c.got.Load(),
		"upfront_acme_failed_attempts_total":       c.failed.Load(),
		"upfront_acme_asked_total":                 c.asked.Load(),
		"upfront_acme_limited_total":               c.limited.Load(),
	}
}
