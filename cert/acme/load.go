package acme

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"

	"github.com/caddyserver/certmagic"
	"golang.org/x/sync/errgroup"

	"upfront/internal/logfield"
)

// recall notes which names the storage has, so that a handshake for another one costs no
// look at the disk. What cannot be read is said again for each name that needs it.
func (c *Certificates) recall() {
	ctx := context.Background()
	authorities, err := c.options.Storage.List(ctx, "certificates", false)
	for _, authority := range authorities {
		names, failed := c.options.Storage.List(ctx, authority, false)
		err = errors.Join(err, failed)
		for _, name := range names {
			c.kept[path.Base(name)] = true
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.log.Warn("Stored certificates could not be listed", logfield.Error(err))
	}
}

// loadAll makes the certificates of hosts serve that are at hand, without asking
// anybody, and hands the hosts to the schedule.
func (c *Certificates) loadAll(hosts []*host) {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, h := range hosts {
		g.Go(func() error {
			ctx := context.Background()
			damage := c.load(ctx, h)
			if !h.has || h.foreign {
				c.bringIn(ctx, h)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			h.busy = false
			if damage != nil {
				h.problem = damage.Error()
			}
			return nil
		})
	}
	_ = g.Wait() // a name that cannot be loaded has said so, and costs no other one
}

// load makes the newest certificate of the storage serve, unless the one that serves is
// as new. Staples come later: loading asks nobody. The error is of files that are there
// and cannot be read; those that make no certificate are removed, for a new one to take
// their place.
func (c *Certificates) load(ctx context.Context, h *host) error {
	var problems []error
	for _, s := range h.plan {
		cert, err := s.bare.CacheManagedCertificate(ctx, h.name)
		var unreadable *fs.PathError
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case errors.As(err, &unreadable) || err != nil && ctx.Err() != nil:
			problems = append(problems, fmt.Errorf("load certificate: %w", err))
		case err != nil:
			c.log.Warn("Stored certificate is of no use, a new one takes its place",
				logfield.Host(h.name), logfield.Error(err))
			if err := c.options.Storage.Delete(ctx, certmagic.StorageKeys.CertsSitePrefix(s.key(), h.name)); err != nil {
				problems = append(problems, fmt.Errorf("remove damaged certificate: %w", err))
			}
		case h.has && cert.Hash() == h.cert.Hash():
		case !h.has || h.foreign || !cert.Leaf.NotBefore.Before(h.cert.Leaf.NotBefore):
			c.take(h, s, cert)
		default:
			c.cache.Remove([]string{cert.Hash()})
		}
	}
	return errors.Join(problems...)
}
