package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"

	"upfront/internal/logfield"
)

// The bounds of what handshakes for names that are new can make us do. Whoever sends
// random names gets at most as many questions asked; names that have a certificate, or
// were deployed, do not depend on it.
const (
	asksBurst    = 50
	asksInterval = 200 * time.Millisecond
	// ordersBurst and ordersInterval are what Let's Encrypt allows an account on average:
	// 300 orders in three hours.
	ordersBurst    = 100
	ordersInterval = 36 * time.Second
	// maxAsking is how many names are asked about at once.
	maxAsking = 32
	// refusedDelay is how long a name that was refused is not asked about again, and
	// unsureDelay one about which there was no answer.
	refusedDelay = 10 * time.Minute
	unsureDelay  = time.Minute
	// demandTimeout is how long a handshake waits. The order goes on without it.
	demandTimeout = 20 * time.Second
)

// demand is what one service says of names that it has not named.
type demand struct {
	service, ask string
	plan         []*source
	caches       []string
}

// same reports whether h came of a demand like d.
func (d demand) same(h *host) bool {
	return h.service == d.service && h.ask == d.ask && h.plan[0] == d.plan[0]
}

// onDemand returns a certificate for a name that has none yet, if it may have one and it
// can be had while the handshake waits; else nil.
func (c *Certificates) onDemand(ctx context.Context, name string) *tls.Certificate {
	h := c.demand(name)
	if h == nil {
		return nil
	}
	timer := time.NewTimer(demandTimeout)
	defer timer.Stop()
	select {
	case <-h.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	return c.find(name)
}

// demand returns the host to wait for, nil when there is nothing to wait for.
func (c *Certificates) demand(name string) *host {
	d, ok := matches(*c.demands.Load(), name)
	if !ok || !askable(name) {
		return nil
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.hosts[name]; h != nil {
		if h.done == nil || h.ended {
			return nil
		}
		return h
	}
	if c.ctx == nil || c.refused.has(name, now) {
		return nil
	}
	// One that had a certificate was asked about once.
	if c.asking == maxAsking || !c.kept[name] && !c.asks.take(now) {
		c.limited.Add(1)
		return nil
	}
	h := c.newHost(name, d)
	h.ask, h.done = d.ask, make(chan struct{})
	c.hosts[name] = h
	c.asking++
	ctx := c.ctx
	c.work.Go(func() { c.inquire(ctx, h) })
	return h
}

// askable reports whether a public authority could issue for name, so that nobody is
// asked about what is only noise.
func askable(name string) bool {
	if len(name) > 253 || !strings.Contains(name, ".") || certmagic.SubjectIsIP(name) {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// inquire finds out whether h may have a certificate, and hands it to the schedule.
func (c *Certificates) inquire(ctx context.Context, h *host) {
	_ = c.load(ctx, h) // one that cannot be loaded is ordered
	now, err := time.Now(), error(nil)
	if !h.has {
		c.bringIn(ctx, h)
	}
	if !h.has {
		err = c.mayHave(ctx, h)
		now = time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asking--
	h.busy = false
	switch {
	case h.gone:
	case err != nil:
		h.gone = true
		delete(c.hosts, h.name)
		delay := unsureDelay
		if errors.Is(err, errRefused) {
			delay = refusedDelay
		}
		c.refused.add(h.name, now.Add(delay))
		c.log.Debug("Name may not have a certificate", logfield.Host(h.name), logfield.Service(h.service), logfield.Error(err))
		h.end()
	case h.has:
		h.end()
		c.stir()
	default:
		c.stir()
	}
}

// mayHave asks about a new name, and then whether the limit of orders lets it pass.
func (c *Certificates) mayHave(ctx context.Context, h *host) error {
	if err := c.question(ctx, h); err != nil {
		return err
	}
	if !c.orders.take(time.Now()) {
		c.limited.Add(1)
		return errors.New("too many certificates were ordered on demand")
	}
	return nil
}

// allowed asks again about a name that was let in once, before it is renewed: its owner
// may have gone.
func (c *Certificates) allowed(ctx context.Context, h *host) error {
	if h.ask == "" || !h.has {
		return nil
	}
	return c.question(ctx, h)
}

func (c *Certificates) question(ctx context.Context, h *host) error {
	c.asked.Add(1)
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var err error
	switch {
	case !strings.HasPrefix(h.ask, "/"):
		err = Ask(ctx, nil, h.ask, "", h.name)
	case c.options.AskService == nil:
		err = errors.New("nobody asks services")
	default:
		err = c.options.AskService(ctx, h.service, h.ask, h.name)
	}
	if err != nil {
		return fmt.Errorf("ask whether %s may have a certificate: %w", h.name, err)
	}
	return nil
}
