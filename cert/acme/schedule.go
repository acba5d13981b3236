package acme

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"

	"upfront/internal/logfield"
)

// Publish replaces what is wanted. Certificates that are in the storage serve when it
// returns; it asks nobody for any, and waits for nothing. A name that is no longer
// wanted is not renewed, nor served, but stays in the storage.
func (c *Certificates) Publish(all []Wanted) {
	fresh := c.adopt(all)
	c.loadAll(fresh)
	c.stir()
}

// adopt makes the hosts and the demands what all says, and returns the hosts that are
// new.
func (c *Certificates) adopt(all []Wanted) (fresh []*host) {
	c.mu.Lock()
	defer c.mu.Unlock()
	demands := map[string]demand{}
	named := map[string]bool{}
	now := time.Now()
	for _, want := range all {
		plan := c.plan(want.Directory)
		caches := c.options.Caches
		if want.Cache != "" {
			caches = append([]string{want.Cache}, caches...)
		}
		d := demand{service: want.Service, ask: want.Ask, plan: plan, caches: caches}
		if want.Ask != "" && len(want.Hosts) == 0 {
			demands[""] = d
		}
		for _, name := range want.Hosts {
			name = plain(name)
			if want.Ask != "" && strings.HasPrefix(name, "*.") {
				demands[name] = d
				continue
			}
			named[name] = true
			if h := c.hosts[name]; h != nil && h.ask == "" && h.service == want.Service && slices.Equal(h.plan, plan) {
				h.hasten(now)
				continue
			}
			old := c.hosts[name]
			c.hosts[name] = c.newHost(name, d)
			c.hosts[name].inherit(old)
			c.drop(old)
			fresh = append(fresh, c.hosts[name])
		}
	}
	for name, h := range c.hosts {
		d, ok := matches(demands, name)
		if !named[name] && (h.ask == "" || !ok || !d.same(h)) {
			c.drop(h)
			delete(c.hosts, name)
		}
	}
	c.demands.Store(&demands)
	return fresh
}

// hasten lets a name that failed try again: what was wrong may be right now that
// something was deployed.
func (h *host) hasten(now time.Time) {
	if h.failures > 0 && now.Sub(h.tried) > changedDelay {
		h.due = time.Time{}
	}
}

// newHost is busy: it has not been looked for in the storage yet.
func (c *Certificates) newHost(name string, d demand) *host {
	h := &host{name: name, service: d.service, plan: d.plan, caches: d.caches, busy: true}
	if strings.HasPrefix(name, "*.") && c.options.DNS.Provider == nil {
		h.unusable = "a wildcard needs DNS-01: set tls.dns in the config file, or name the hosts"
	}
	return h
}

// inherit goes on serving the certificate of old, which may be nil: a host that moves to
// another service, or to another authority, is never without one.
func (h *host) inherit(old *host) {
	if old == nil || !old.has {
		return
	}
	h.cert, h.from, h.has, old.has = old.cert, old.from, true, false
	h.renewAt, h.infoAt, h.due = old.renewAt, old.infoAt, old.due
	if !slices.Equal(h.plan, old.plan) {
		h.foreign, h.due = true, time.Time{}
	}
}

// drop ends what is done for h, which may be nil. The caller holds mu.
func (c *Certificates) drop(h *host) {
	if h == nil {
		return
	}
	h.gone = true
	if h.cancel != nil {
		h.cancel()
	}
	if h.has {
		c.cache.Remove([]string{h.cert.Hash()})
	}
	h.end()
}

// end lets those go on that wait for h.
func (h *host) end() {
	if h.done != nil && !h.ended {
		h.ended = true
		close(h.done)
	}
}

// look makes name be looked at soon.
func (c *Certificates) look(name string) {
	c.mu.Lock()
	if h := c.hosts[name]; h != nil {
		h.due = time.Time{}
	}
	c.mu.Unlock()
	c.stir()
}

// maxLook is how long the schedule may sleep: clocks are set, and machines wake up.
const maxLook = time.Minute

// launch starts the attempts that are due and returns when the next one is.
func (c *Certificates) launch(ctx context.Context, now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := now.Add(maxLook)
	for _, h := range c.hosts {
		if h.busy || h.unusable != "" {
			continue
		}
		at := h.due
		if h.has && h.infoAt.Before(at) {
			at = h.infoAt
		}
		if at.After(now) {
			if at.Before(next) {
				next = at
			}
			continue
		}
		if c.running == maxAttempts {
			break // the end of one stirs
		}
		c.running++
		h.busy = true
		var attempts context.Context
		attempts, h.cancel = context.WithCancel(ctx)
		c.work.Go(func() { c.attend(attempts, h) })
	}
	return max(next.Sub(now), 0)
}

// attend does what is due for h.
func (c *Certificates) attend(ctx context.Context, h *host) {
	c.mu.Lock()
	renew := !h.due.After(time.Now())
	c.mu.Unlock()
	var err error
	if renew {
		err = c.provide(ctx, h)
	} else {
		c.askRenewal(ctx, h)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if renew && !h.gone && ctx.Err() == nil {
		c.settle(h, err)
	}
	h.cancel()
	h.busy, h.cancel = false, nil
	c.running--
	h.end()
	c.stir()
}

// settle notes how an attempt ended and when the next one is. The caller holds mu.
func (c *Certificates) settle(h *host, err error) {
	now := time.Now()
	h.tried = now
	if err == nil {
		h.failures, h.problem = 0, ""
		h.due = renewal(h.cert.Leaf, h.renewAt)
		return
	}
	c.failed.Add(1)
	wait := c.options.retries[min(h.failures, len(c.options.retries)-1)]
	if tooMany(err) {
		wait = max(wait, limitedDelay)
	}
	wait += rand.N(wait/10 + 1)
	h.failures++
	h.problem = err.Error()
	h.due = now.Add(wait)
	c.log.Warn("Certificate not obtained", logfield.Host(h.name), logfield.Service(h.service),
		logfield.Attempt(h.failures), zap.Time("next_attempt", h.due), logfield.Error(err))
	if h.ask != "" && !h.has { // who asks again, later, begins anew
		c.refused.add(h.name, h.due)
		h.gone = true
		delete(c.hosts, h.name)
	}
}

// tooMany reports whether an authority refused because it was asked too often.
func tooMany(err error) bool {
	var problem acme.Problem
	return errors.As(err, &problem) && problem.Type == acme.ProblemTypeRateLimited
}

// provide makes h have a certificate that is not due: from the storage, from a cache of
// kamal-proxy, or from the first authority that issues one.
func (c *Certificates) provide(ctx context.Context, h *host) error {
	if err := c.options.Storage.Lock(ctx, "upfront_"+h.name); err != nil {
		return fmt.Errorf("lock %s: %w: see that the folder of certificates can be written", h.name, err)
	}
	defer func() { _ = c.options.Storage.Unlock(context.WithoutCancel(ctx), "upfront_"+h.name) }()
	// Another process may have renewed it, or an earlier version of us.
	damage := c.load(ctx, h)
	if !h.has || h.foreign {
		c.bringIn(ctx, h)
	}
	c.mu.Lock()
	good := h.has && !h.foreign && renewal(h.cert.Leaf, h.renewAt).After(time.Now())
	c.mu.Unlock()
	if good {
		return nil
	}
	if !h.has && damage != nil {
		return damage
	}
	if err := c.allowed(ctx, h); err != nil {
		return err
	}
	return c.order(ctx, h)
}

// order gets a certificate from the first authority that issues one.
func (c *Certificates) order(ctx context.Context, h *host) error {
	var problems []error
	for _, s := range h.plan {
		err := s.try(ctx, h.name, h.failures%2 == 0)
		if err == nil {
			if err = c.load(ctx, h); err == nil {
				c.got.Add(1)
				c.log.Info("Certificate obtained", logfield.Host(h.name), logfield.Service(h.service),
					zap.String("authority", s.directory), zap.Time("expires", h.cert.Leaf.NotAfter))
				return nil
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		problems = append(problems, fmt.Errorf("%s: %w", s.label, err))
	}
	return errors.Join(problems...)
}

// askRenewal asks the authority when it wants a renewal (RFC 9773).
func (c *Certificates) askRenewal(ctx context.Context, h *host) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	info, err := h.from.issuer.GetRenewalInfo(ctx, h.cert)
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		h.infoAt = now.Add(noRenewalInfoInterval)
		c.log.Debug("Authority does not say when to renew", logfield.Host(h.name), logfield.Error(err))
		return
	}
	h.infoAt = now.Add(renewalInfoInterval)
	if info.RetryAfter != nil && info.RetryAfter.After(h.infoAt) {
		h.infoAt = *info.RetryAfter
	}
	if info.HasWindow() && h.failures == 0 {
		h.renewAt = info.SelectedTime
		h.due = renewal(h.cert.Leaf, h.renewAt)
	}
}

// take makes cert what h serves, the new one before the old one is gone.
func (c *Certificates) take(h *host, s *source, cert certmagic.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, had := h.cert, h.has
	if h.gone {
		c.cache.Remove([]string{cert.Hash()})
		return
	}
	h.cert, h.from, h.has, h.foreign = cert, s, true, false
	c.kept[h.name] = true
	if had && old.Hash() != cert.Hash() {
		c.cache.Remove([]string{old.Hash()})
	}
	if !had || old.Hash() != cert.Hash() {
		h.renewAt = time.Time{}
		h.infoAt = time.Now().Add(rand.N(10 * time.Minute))
		h.due = renewal(cert.Leaf, time.Time{})
	}
}
