package acme

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
)

// source is one authority as certmagic wants it: one config with one issuer, so that the
// error of each is ours to tell.
type source struct {
	directory string
	label     string // directory, and the external account if there is one
	config    *certmagic.Config
	bare      *certmagic.Config // the same, without staples and renewal information
	issuer    *certmagic.ACMEIssuer
	problem   error // why it cannot be used at all; nil when it can
}

// key is the folder that the certificates of the source are stored in.
func (s *source) key() string { return s.issuer.IssuerKey() }

func (c *Certificates) newSource(a Authority) *source {
	if a.Directory == "" {
		a.Directory = LetsEncrypt
	}
	s := &source{directory: a.Directory, label: a.Directory}
	log := quiet(c.log)
	template := certmagic.Config{Storage: c.options.Storage, Logger: log, OnEvent: c.onEvent}
	s.config = certmagic.New(c.cache, template)
	template.OCSP.DisableStapling, template.DisableARI = true, true
	s.bare = certmagic.New(c.cache, template)
	issuer := certmagic.ACMEIssuer{
		CA: a.Directory, TestCA: a.Directory, // an attempt counts where it is made
		Email: a.Email, Agreed: true, TrustedRoots: a.Roots, Logger: log,
	}
	if a.KeyID != "" {
		issuer.ExternalAccount = &acme.EAB{KeyID: a.KeyID, MACKey: a.MACKey}
		s.label += fmt.Sprintf(" with the external account %q", a.KeyID)
	}
	s.problem = c.challenges(&issuer)
	s.issuer = certmagic.NewACMEIssuer(s.config, issuer)
	s.config.Issuers = []certmagic.Issuer{s.issuer}
	s.bare.Issuers = s.config.Issuers
	return s
}

var errNoChallenge = errors.New("no challenge can be answered: add a listener for plain HTTP or TLS, or set tls.dns in the config file")

// challenges says which challenges there are answers for. Where there is a listener,
// certmagic finds it at its address, and so opens none of its own.
func (c *Certificates) challenges(issuer *certmagic.ACMEIssuer) error {
	o := &c.options
	if o.DNS.Provider != nil {
		issuer.DNS01Solver = &certmagic.DNS01Solver{DNSManager: certmagic.DNSManager{
			DNSProvider: o.DNS.Provider, Resolvers: o.DNS.Resolvers,
			PropagationTimeout: max(o.DNS.PropagationTimeout, -1), Logger: quiet(c.log),
		}}
		return nil
	}
	var tlsHost string
	issuer.DisableHTTPChallenge = !placeAt(o.HTTP, &issuer.ListenHost, &issuer.AltHTTPPort)
	issuer.DisableTLSALPNChallenge = !placeAt(o.TLS, &tlsHost, &issuer.AltTLSALPNPort)
	switch {
	case issuer.ListenHost == "":
		issuer.ListenHost = tlsHost
	case tlsHost != "" && tlsHost != issuer.ListenHost: // one of two would not be found
		issuer.DisableTLSALPNChallenge = true
	}
	if issuer.DisableHTTPChallenge && issuer.DisableTLSALPNChallenge {
		return errNoChallenge
	}
	return nil
}

// placeAt writes the port of address, and its host where it is one of several; ok is
// false when there is no address.
func placeAt(address net.Addr, host *string, port *int) (ok bool) {
	if address == nil {
		return false
	}
	at, number, err := net.SplitHostPort(address.String())
	if err != nil {
		return false
	}
	*port, err = strconv.Atoi(number)
	if ip := net.ParseIP(at); ip != nil && !ip.IsUnspecified() {
		*host = at
	}
	return err == nil
}

// plan returns the sources of what is wanted, the one to ask first first.
func (c *Certificates) plan(directory string) []*source {
	if directory == "" || directory == c.main[0].directory {
		return c.main
	}
	if c.others[directory] == nil {
		own := c.options.Authority
		own.Directory, own.KeyID, own.MACKey = directory, "", ""
		if fallback := c.options.Fallback; fallback != nil && fallback.Directory == directory {
			own = *fallback
		}
		c.others[directory] = []*source{c.newSource(own)}
	}
	return c.others[directory]
}

// attemptKey is where the context of an attempt has it.
type attemptKey struct{}

// attempt is one go at one source.
type attempt struct {
	cancel context.CancelFunc
	failed error // written by onEvent, which the attempt's own goroutine calls
}

// try gets or renews the certificate of name from s, once, and leaves it in the storage.
// A renewal that replaces says which certificate it is for (RFC 9773 §5): then limits do
// not hold for it, but an authority that has a mind of its own may refuse it for that.
func (s *source) try(ctx context.Context, name string, replaces bool) error {
	if s.problem != nil {
		return s.problem
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	a := &attempt{cancel: cancel}
	config := s.bare
	if replaces {
		config = s.config
	}
	// It would try again by itself, for a month; onEvent ends it before.
	err := config.RenewCertAsync(context.WithValue(ctx, attemptKey{}, a), name, true)
	if a.failed != nil {
		return a.failed
	}
	return err
}

// onEvent hears what certmagic does.
func (c *Certificates) onEvent(ctx context.Context, event string, data map[string]any) error {
	a, ours := ctx.Value(attemptKey{}).(*attempt)
	switch {
	case ours && event == "cert_failed":
		a.failed, _ = data["error"].(error)
		a.cancel()
	case !ours && event == "cert_obtained": // one that was revoked is replaced unasked
		if name, ok := data["identifier"].(string); ok {
			c.look(name)
		}
	}
	return nil
}
