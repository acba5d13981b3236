package api

import (
	"slices"
	"strings"
	"time"
)

// TLS is how clients reach a service over TLS. Its settings hold for the hosts of the
// service, also for paths that belong to others: a handshake knows no path.
type TLS struct {
	// Certificates from files, as proxyd sees them, the most wanted first. They are
	// watched. Empty means that another one is for the hosts: a default of proxyd's.
	Certificates []CertificateFiles `json:"certificates,omitempty"`
	// Automatic gets the certificates of the hosts from an ACME directory, where no file
	// has one. Nil does not.
	Automatic *AutomaticTLS `json:"automatic,omitempty"`
	// ClientCA is a file with the certificates, in PEM, that those of clients must be
	// of. Empty asks clients for none.
	ClientCA string `json:"client_ca,omitempty"`
	// Redirect sends clients that come over plain HTTP to https. Default true.
	Redirect *bool `json:"redirect,omitempty"`
	// HSTS makes clients come over TLS from then on. Nil is off.
	HSTS *HSTS `json:"hsts,omitempty"`
}

// CertificateFiles are a certificate, with its chain behind it, and its private key,
// both absolute paths of files in PEM.
type CertificateFiles struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// HSTS is HTTP Strict Transport Security (RFC 6797).
type HSTS struct {
	// MaxAge for which a client remembers it. Zero is DefaultHSTSMaxAge; negative makes
	// clients forget.
	MaxAge            Duration `json:"max_age,omitempty"`
	IncludeSubdomains bool     `json:"include_subdomains,omitempty"`
	Preload           bool     `json:"preload,omitempty"`
}

// DefaultHSTSMaxAge is a year, which is what lists for preloading ask for.
const DefaultHSTSMaxAge = Duration(365 * 24 * time.Hour)

// Redirects reports whether plain HTTP is redirected.
func (t *TLS) Redirects() bool { return t != nil && (t.Redirect == nil || *t.Redirect) }

// clone shares nothing with t.
func (t *TLS) clone() *TLS {
	if t == nil {
		return nil
	}
	c := *t
	c.Certificates = slices.Clone(t.Certificates)
	c.Automatic = t.Automatic.clone()
	if t.Redirect != nil {
		redirect := *t.Redirect
		c.Redirect = &redirect
	}
	if t.HSTS != nil {
		hsts := *t.HSTS
		c.HSTS = &hsts
	}
	return &c
}

// withDefaults returns a copy of t that is complete.
func (t *TLS) withDefaults() *TLS {
	c := t.clone()
	if c != nil && c.HSTS != nil && c.HSTS.MaxAge == 0 {
		c.HSTS.MaxAge = DefaultHSTSMaxAge
	}
	return c
}

func (s Spec) validateTLS() error {
	if s.CanonicalHost != "" {
		if strings.HasPrefix(s.CanonicalHost, "*.") {
			return invalid("--canonical-host", "canonical host %q is a wildcard: set --canonical-host to one name", s.CanonicalHost)
		}
		if err := validateHost(s.CanonicalHost); err != nil {
			return invalid("--canonical-host", "canonical host %q is not a host name: set --canonical-host to one like example.com", s.CanonicalHost)
		}
		if len(s.Hosts) > 0 && !s.answersFor(s.CanonicalHost) {
			return invalid("--canonical-host", "canonical host %q is none of the hosts of the service: add --host %s",
				s.CanonicalHost, s.CanonicalHost)
		}
	}
	if s.TLS == nil {
		return nil
	}
	if !slices.Contains(s.PathPrefixes, "/") {
		return invalid("--tls", "TLS holds for a whole host: set --tls on the service with the path prefix /")
	}
	if err := s.TLS.Automatic.validate(s.Hosts); err != nil {
		return err
	}
	if len(s.Hosts) == 0 && len(s.TLS.Certificates) == 0 && s.TLS.Automatic == nil {
		return invalid("--host", "TLS needs a host to have a certificate for: set --host, or --tls-certificate-path and --tls-private-key-path")
	}
	return s.TLS.validate()
}

// answersFor reports whether host is one of s.Hosts, or below a wildcard of them.
func (s Spec) answersFor(host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	return slices.Contains(s.Hosts, host) || slices.Contains(s.Hosts, "*."+parent)
}

func (t *TLS) validate() error {
	if len(t.Certificates) > maxList {
		return invalid("--tls-certificate-path", "%d certificates are too many: at most %d", len(t.Certificates), maxList)
	}
	for _, files := range t.Certificates {
		if !isAbsolute(files.Certificate) {
			return invalid("--tls-certificate-path",
				"certificate %q is not an absolute path: set --tls-certificate-path to one as proxyd sees it", files.Certificate)
		}
		if !isAbsolute(files.Key) {
			return invalid("--tls-private-key-path",
				"private key %q is not an absolute path: set --tls-private-key-path to one as proxyd sees it", files.Key)
		}
	}
	if t.ClientCA != "" && !isAbsolute(t.ClientCA) {
		return invalid("--tls-client-ca",
			"client CA %q is not an absolute path: set --tls-client-ca to one as proxyd sees it", t.ClientCA)
	}
	return nil
}

func isAbsolute(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.ContainsRune(path, 0)
}

// CertificateInfo is one certificate as list and status show it.
type CertificateInfo struct {
	CertificateFiles
	// Names that it is for. Empty while there is none that is good.
	Names []string `json:"names,omitempty"`
	// NotAfter is when it expires.
	NotAfter time.Time `json:"not_after,omitzero"`
	// Problem is why it is not what the files hold. Empty when it is.
	Problem string `json:"problem,omitempty"`
}
