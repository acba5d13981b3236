package cert

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"sync/atomic"
)

// Authority is a bundle of certificates that those of clients must be of: the last good
// one of its file.
type Authority struct {
	path  string
	state atomic.Pointer[authorityState] // replaced by refresh
	watched
}

type authorityState struct {
	roots   *x509.CertPool // empty until there was a good one: then no client is let in
	id      string
	problem error
}

// OpenAuthority reads a bundle in PEM. When it is not good the error says why, and the
// authority is returned all the same: it lets nobody in until a Store that watches it
// finds a good one.
func OpenAuthority(path string) (*Authority, error) {
	a := &Authority{path: path}
	a.paths = []string{path}
	a.seen = signOf(a.paths)
	roots, id, err := loadRoots(path)
	if err != nil {
		roots, id = x509.NewCertPool(), "none"
	}
	a.state.Store(&authorityState{roots: roots, id: id, problem: err})
	return a, err
}

// Roots returns the certificates, and an ID that is the same for the same bundle.
func (a *Authority) Roots() (roots *x509.CertPool, id string) {
	state := a.state.Load()
	return state.roots, state.id
}

// Path of the bundle.
func (a *Authority) Path() string { return a.path }

// Problem is why the roots are not what the file holds. Empty when they are.
func (a *Authority) Problem() string {
	if err := a.state.Load().problem; err != nil {
		return err.Error()
	}
	return ""
}

func (a *Authority) refresh() (changed bool, err error) {
	before := a.state.Load()
	roots, id, err := loadRoots(a.path)
	if err != nil {
		a.state.Store(&authorityState{roots: before.roots, id: before.id, problem: err})
		return false, err
	}
	a.state.Store(&authorityState{roots: roots, id: id})
	return id != before.id, nil
}

func (a *Authority) subject() string { return a.path }

func loadRoots(path string) (roots *x509.CertPool, id string, err error) {
	text, err := readFile(path)
	if err != nil {
		return nil, "", fmt.Errorf("read client CA: %w", err)
	}
	roots = x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, "", fmt.Errorf("read client CA: %s has no certificate in PEM", path)
	}
	sum := sha256.Sum256(text)
	return roots, hex.EncodeToString(sum[:]), nil
}
