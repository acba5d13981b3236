package cert

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
)

// Set is the certificates of one service.
type Set struct {
	// Hosts that the service answers for, exact or "*.example.com". A host gets a
	// certificate of its set that is for it, and where none is, any: who configured it
	// so may have a reason. Without hosts the names of the certificates count.
	Hosts []string
	// Pairs, the most wanted first.
	Pairs []*Pair
	// ClientCA is watched with the pairs. Nil is none.
	ClientCA *Authority
}

// names leads from a name in lower case to certificates, the most wanted first; a
// wildcard stands under what follows "*.".
type names struct{ exact, wildcard map[string][]*tls.Certificate }

func newNames() names {
	return names{exact: map[string][]*tls.Certificate{}, wildcard: map[string][]*tls.Certificate{}}
}

func (n names) add(name string, all ...*tls.Certificate) {
	if parent, wild := strings.CutPrefix(name, "*."); wild {
		n.wildcard[parent] = append(n.wildcard[parent], all...)
		return
	}
	n.exact[name] = append(n.exact[name], all...)
}

// find returns the certificates for name, which may be a wildcard itself.
func (n names) find(name string) []*tls.Certificate {
	if parent, wild := strings.CutPrefix(name, "*."); wild {
		return n.wildcard[parent]
	}
	if found := n.exact[name]; found != nil {
		return found
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		return n.wildcard[parent]
	}
	return nil
}

// table is what a handshake reads. Immutable.
type table struct {
	hosts  names // of sets, as routes have them
	named  names // of every certificate, as it names itself
	normal []*tls.Certificate
	first  []*tls.Certificate // for clients that name no host and where there is no default
}

func newTable(defaults []*Pair, sets []Set) *table {
	t := &table{hosts: newNames(), named: newNames(), normal: live(defaults)}
	for _, set := range sets {
		t.enter(set)
	}
	for _, c := range t.normal {
		for _, name := range namesOf(c.Leaf) {
			t.named.add(name, c)
		}
	}
	return t
}

func (t *table) enter(set Set) {
	all := live(set.Pairs)
	if len(all) == 0 {
		return
	}
	if t.first == nil {
		t.first = all
	}
	own := newNames()
	for _, c := range all {
		for _, name := range namesOf(c.Leaf) {
			own.add(name, c)
			t.named.add(name, c)
		}
	}
	for _, host := range set.Hosts {
		fitting := own.find(host)
		if fitting == nil {
			fitting = all
		}
		t.hosts.add(host, fitting...)
	}
}

// find returns the certificates for a name that a client asked for.
func (t *table) find(name string) []*tls.Certificate {
	if found := t.hosts.find(name); found != nil {
		return found
	}
	return t.named.find(name)
}

func live(pairs []*Pair) (all []*tls.Certificate) {
	for _, p := range pairs {
		if c := p.state.Load().live; c != nil {
			all = append(all, c)
		}
	}
	return all
}

// namesOf returns what a certificate is for, in lower case. One without alternative
// names is of another age, or a test's; then its common name says more than nothing.
func namesOf(leaf *x509.Certificate) []string {
	all := make([]string, 0, len(leaf.DNSNames)+len(leaf.IPAddresses))
	for _, name := range leaf.DNSNames {
		all = append(all, normal(name))
	}
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 && leaf.Subject.CommonName != "" {
		all = append(all, normal(leaf.Subject.CommonName))
	}
	return all
}

func normal(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// isBelow reports whether host is one label below the wildcard name.
func isBelow(host, name string) bool {
	parent, wild := strings.CutPrefix(name, "*.")
	_, rest, ok := strings.Cut(host, ".")
	return wild && ok && rest == parent
}
