package cert

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// Files are where a certificate, its chain behind it, and its key are, in PEM.
type Files struct{ Certificate, Key string }

// Pair is a certificate with its key: the last good one of its files.
type Pair struct {
	files Files
	state atomic.Pointer[pairState] // replaced by refresh
	watched
}

type pairState struct {
	live    *tls.Certificate // nil until there was a good one
	problem error            // why live is not what the files hold; nil when it is
}

// Open reads a pair. When the files are not good the error says why, and the pair is
// returned all the same: a Store that watches it makes it live once they are.
func Open(files Files) (*Pair, error) {
	p := &Pair{files: files}
	p.paths = []string{files.Certificate, files.Key}
	p.seen = signOf(p.paths)
	live, err := load(files)
	p.state.Store(&pairState{live: live, problem: err})
	return p, err
}

// Info is what there is to say of a pair.
type Info struct {
	Files Files
	// Names that the certificate is for. Empty while there is no good one.
	Names []string
	// NotAfter is when it expires.
	NotAfter time.Time
	// Problem is why it is not what the files hold, or what is wrong with it. Empty
	// when all is well.
	Problem string
}

// Info returns what there is to say of p at now.
func (p *Pair) Info(now time.Time) Info {
	state := p.state.Load()
	info := Info{Files: p.files}
	if state.live != nil {
		info.Names, info.NotAfter = namesOf(state.live.Leaf), state.live.Leaf.NotAfter
	}
	switch {
	case state.problem != nil && state.live != nil:
		info.Problem = "the certificate before is kept: " + state.problem.Error()
	case state.problem != nil:
		info.Problem = state.problem.Error()
	case now.After(info.NotAfter):
		info.Problem = fmt.Sprintf("certificate %s expired at %s", p.files.Certificate, info.NotAfter.UTC().Format(time.RFC3339))
	}
	return info
}

// Covers reports whether the certificate is for host, which may be a wildcard.
func (p *Pair) Covers(host string) bool {
	live := p.state.Load().live
	if live == nil {
		return false
	}
	for _, name := range namesOf(live.Leaf) {
		if name == host || isBelow(host, name) {
			return true
		}
	}
	return false
}

// refresh reads the files again and reports whether the certificate is another one.
func (p *Pair) refresh() (changed bool, err error) {
	before := p.state.Load()
	live, err := load(p.files)
	if err != nil {
		p.state.Store(&pairState{live: before.live, problem: err})
		return false, err
	}
	p.state.Store(&pairState{live: live})
	return before.live == nil || !bytes.Equal(live.Certificate[0], before.live.Certificate[0]), nil
}

// subject is what an Event says of p.
func (p *Pair) subject() string { return p.files.Certificate }

// maxFile bounds what is read of a file.
const maxFile = 1 << 20

func load(files Files) (*tls.Certificate, error) {
	chain, err := readFile(files.Certificate)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	key, err := readFile(files.Key)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("load certificate %s with private key %s: %w", files.Certificate, files.Key, err)
	}
	return &pair, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path) // a pipe would keep us waiting
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxFile:
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	case len(text) == 0:
		return nil, errors.New(path + " is empty")
	}
	return text, nil
}
