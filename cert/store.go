package cert

import (
	"context"
	"crypto/tls"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a Store.
type Options struct {
	// Next is asked for names that no certificate of a file is for, before the default
	// ones are taken. Nil, or no certificate and no error, is nothing.
	Next func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// OnEvent is told of files that were replaced. Called from Run. Nil is nobody.
	OnEvent func(Event)
	// Interval at which files are looked at. Default 300ms; with thousands of files up
	// to 800ms, so that looking takes a fiftieth of a processor.
	Interval time.Duration
}

// Event is a file that was replaced.
type Event struct {
	Path string
	// Err is why what it held before is kept. Nil: it is live.
	Err error
}

// Store is every certificate that comes from files.
type Store struct {
	options Options
	table   atomic.Pointer[table] // replaced by rebuild

	mu       sync.Mutex
	defaults []*Pair // guarded by mu
	sets     []Set   // guarded by mu
}

// New returns a store without certificates. Run watches those that come.
func New(o Options) *Store {
	if o.Interval <= 0 {
		o.Interval = 300 * time.Millisecond
	}
	s := &Store{options: o}
	s.rebuild()
	return s
}

// Publish replaces the certificates of all services.
func (s *Store) Publish(sets []Set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sets = sets
	s.rebuild()
}

// SetDefaults replaces the certificates for names of no set, and for clients that ask
// for none; the first is the one for names that none is for.
func (s *Store) SetDefaults(pairs []*Pair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.defaults = pairs
	s.rebuild()
}

// rebuild publishes what the pairs hold now. The caller holds mu.
func (s *Store) rebuild() { s.table.Store(newTable(s.defaults, s.sets)) }

// Covers reports whether a handshake for host, which may be a wildcard, would get a
// certificate of a file.
func (s *Store) Covers(host string) bool {
	t := s.table.Load()
	return t.find(normal(host)) != nil || len(t.normal) > 0
}

// Has reports whether a file has a certificate that is for host by name.
func (s *Store) Has(host string) bool { return s.table.Load().find(normal(host)) != nil }

// GetCertificate chooses for a handshake; it is a tls.Config's. Nil and no error means
// that there is none for the name.
func (s *Store) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	t := s.table.Load()
	name := normal(hello.ServerName)
	if name != "" {
		if found := t.find(name); found != nil {
			return choose(hello, found), nil
		}
	}
	if s.options.Next != nil {
		if found, err := s.options.Next(hello); found != nil || err != nil {
			return found, err
		}
	}
	all := t.normal
	if len(all) == 0 && name == "" {
		all = t.first
	}
	if len(all) == 0 {
		return nil, nil //nolint:nilnil // It is how package tls wants it.
	}
	return choose(hello, all), nil
}

// choose returns the first that the client can use, else the first.
func choose(hello *tls.ClientHelloInfo, all []*tls.Certificate) *tls.Certificate {
	if len(all) > 1 {
		for _, c := range all {
			if hello.SupportsCertificate(c) == nil {
				return c
			}
		}
	}
	return all[0]
}

// NextExpiry is when the first of the certificates expires, and how many there are.
func (s *Store) NextExpiry() (at time.Time, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	note := func(pairs []*Pair) {
		for _, c := range live(pairs) {
			count++
			if at.IsZero() || c.Leaf.NotAfter.Before(at) {
				at = c.Leaf.NotAfter
			}
		}
	}
	note(s.defaults)
	for _, set := range s.sets {
		note(set.Pairs)
	}
	return at, count
}

// DefaultProblems are what is wrong with the default certificates.
func (s *Store) DefaultProblems(now time.Time) (problems []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.defaults {
		if problem := p.Info(now).Problem; problem != "" {
			problems = append(problems, problem)
		}
	}
	return problems
}

// Run looks at the files until ctx ends, and returns nil then.
func (s *Store) Run(ctx context.Context) error {
	timer := time.NewTimer(s.options.Interval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			took := s.sweep()
			timer.Reset(min(max(s.options.Interval, lookShare*took), max(s.options.Interval, slowest)))
		}
	}
}

// lookShare is the part of the time that is not spent on looking; slowest bounds what
// follows from it, for a replaced file is promised to be live within a second.
const (
	lookShare = 50
	slowest   = 800 * time.Millisecond
)

// sweep looks at every file once, and reads those that were replaced.
func (s *Store) sweep() (took time.Duration) {
	began := time.Now()
	s.mu.Lock()
	var all []subject
	for _, p := range s.defaults {
		all = append(all, p)
	}
	for _, set := range s.sets {
		for _, p := range set.Pairs {
			all = append(all, p)
		}
		if set.ClientCA != nil {
			all = append(all, set.ClientCA)
		}
	}
	s.mu.Unlock()
	var events []Event
	changed := false
	for _, one := range all {
		if event, ok := one.watch().look(one); ok {
			events = append(events, event)
			changed = changed || event.Err == nil
		}
	}
	took = time.Since(began)
	if changed {
		s.mu.Lock()
		s.rebuild()
		s.mu.Unlock()
	}
	if s.options.OnEvent != nil {
		for _, event := range events {
			s.options.OnEvent(event)
		}
	}
	return took
}
