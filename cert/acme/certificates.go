package acme

import (
	"context"
	"crypto/tls"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// Certificates are those of the hosts that were published, now or soon.
type Certificates struct {
	options Options
	log     *zap.Logger
	cache   *certmagic.Cache
	main    []*source // of names that want no other authority

	demands atomic.Pointer[map[string]demand] // by pattern; replaced by Publish
	refused refusals
	asks    bucket
	orders  bucket
	asked   atomic.Uint64
	limited atomic.Uint64
	got     atomic.Uint64
	failed  atomic.Uint64

	wake chan struct{} // has room for one
	work sync.WaitGroup

	mu       sync.Mutex
	others   map[string][]*source // guarded by mu; by directory
	hosts    map[string]*host     // guarded by mu; by name
	kept     map[string]bool      // guarded by mu; names of the storage, for OnDemand
	running  int                  // guarded by mu; attempts
	asking   int                  // guarded by mu; names that a handshake asked for
	ctx      context.Context      //nolint:containedctx // guarded by mu; of Run, nil before and after it
	stopOnce sync.Once
}

// New returns certificates of no host. The storage is looked at, and nothing is asked of
// anybody. certmagic begins to look after staples at once, so Run has to be called, or
// Close.
func New(o Options) *Certificates {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.retries == nil {
		o.retries = retries
	}
	c := &Certificates{
		options: o, log: o.Logger,
		refused: newRefusals(), asks: newBucket(asksBurst, asksInterval), orders: newBucket(ordersBurst, ordersInterval),
		wake:   make(chan struct{}, 1),
		others: map[string][]*source{}, hosts: map[string]*host{}, kept: map[string]bool{},
	}
	c.demands.Store(&map[string]demand{})
	c.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:  c.configFor,
		OCSPCheckInterval: stapleInterval,
		// Renewals are ours to make.
		RenewCheckInterval: 30 * 365 * 24 * time.Hour,
		Logger:             quiet(o.Logger),
	})
	c.main = []*source{c.newSource(o.Authority)}
	if o.Fallback != nil {
		c.main = append(c.main, c.newSource(*o.Fallback))
	}
	c.recall()
	return c
}

// configFor is asked by the cache when it looks after staples.
func (c *Certificates) configFor(cert certmagic.Certificate) (*certmagic.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range cert.Names {
		if h := c.hosts[name]; h != nil && h.from != nil {
			return h.from.config, nil
		}
	}
	return c.main[0].config, nil
}

// Run gets and renews certificates until ctx ends, and waits for what is under way. It
// is called once, and always returns nil.
func (c *Certificates) Run(ctx context.Context) error {
	defer c.Close()
	c.serve(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			c.serve(nil) //nolint:staticcheck // Nobody is served any more.
			within(stopTimeout, c.work.Wait)
			return nil
		case <-timer.C:
		case <-c.wake:
		}
		timer.Reset(c.launch(ctx, time.Now()))
	}
}

// serve lets handshakes ask for names until ctx ends; nil lets none.
func (c *Certificates) serve(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx = ctx
}

// Close ends what New began. Run does it too.
func (c *Certificates) Close() {
	c.stopOnce.Do(func() {
		within(stopTimeout, c.cache.Stop)
	})
}

// within waits for what ends soon after it was asked to, unless it waits itself for
// somebody that does not answer: a staple, or a zone that a record is to be removed from.
func within(limit time.Duration, wait func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		wait()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}

// stir makes Run look at the hosts again.
func (c *Certificates) stir() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// GetCertificate is a tls.Config's: it returns the certificate for the name that the
// client asks for, or that proves to an authority that the name is ours. Nil and no
// error means that there is none, which the client is told by the alert
// unrecognized_name.
func (c *Certificates) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := plain(hello.ServerName)
	if name == "" {
		return nil, nil //nolint:nilnil // It is how package tls wants it.
	}
	if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == Protocol {
		return c.proof(hello)
	}
	if found := c.find(name); found != nil {
		return found, nil
	}
	return c.onDemand(hello.Context(), name), nil
}

// find returns the best certificate in memory.
func (c *Certificates) find(name string) *tls.Certificate {
	var found *tls.Certificate
	now := time.Now()
	for _, cert := range c.cache.AllMatchingCertificates(name) {
		if found == nil || found.Leaf.NotAfter.Before(now) || cert.Leaf.NotAfter.After(now) && cert.Leaf.NotBefore.After(found.Leaf.NotBefore) {
			found = &cert.Certificate
		}
	}
	return found
}
