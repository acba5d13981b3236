package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"path"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// challengeTimeout bounds the look into the storage.
const challengeTimeout = 2 * time.Second

// Answer returns what an authority wants to read at path of host (HTTP-01, RFC 8555
// §8.3). ok is false when no order of ours, nor of another process with the same
// storage, waits for that: the path may be an app's.
func (c *Certificates) Answer(host, path []byte) (answer []byte, ok bool) {
	if colon := bytes.LastIndexByte(host, ':'); colon >= 0 && bytes.IndexByte(host, ']') < colon {
		host = host[:colon]
	}
	ctx, cancel := context.WithTimeout(context.Background(), challengeTimeout)
	defer cancel()
	challenge, ok := c.challenge(ctx, plain(string(host)))
	if !ok || challenge.Type != acme.ChallengeTypeHTTP01 || challenge.HTTP01ResourcePath() != string(path) {
		return nil, false
	}
	return []byte(challenge.KeyAuthorization), true
}

// proof is the certificate that an authority wants to see (TLS-ALPN-01, RFC 8737).
func (c *Certificates) proof(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	ctx, cancel := context.WithTimeout(hello.Context(), challengeTimeout)
	defer cancel()
	challenge, ok := c.challenge(ctx, plain(hello.ServerName))
	if !ok || challenge.Type != acme.ChallengeTypeTLSALPN01 {
		return nil, nil //nolint:nilnil // It is how package tls wants it.
	}
	return acmez.TLSALPN01ChallengeCert(challenge)
}

// challenge is the one that is under way for name.
func (c *Certificates) challenge(ctx context.Context, name string) (acme.Challenge, bool) {
	if known, ok := certmagic.GetACMEChallenge(name); ok {
		return known.Challenge, true
	}
	for _, s := range c.sources() {
		keys := certmagic.StorageKeys
		text, err := c.options.Storage.Load(ctx, path.Join("acme", keys.Safe(s.key()), "challenge_tokens", keys.Safe(name)+".json"))
		var challenge acme.Challenge
		if err == nil && json.Unmarshal(text, &challenge) == nil {
			return challenge, true
		}
	}
	return acme.Challenge{}, false
}

// sources are all that are in use.
func (c *Certificates) sources() []*source {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := append([]*source(nil), c.main...)
	for _, plan := range c.others {
		all = append(all, plan...)
	}
	return all
}
