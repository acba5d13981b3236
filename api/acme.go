package api

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// AutomaticTLS lets proxyd get the certificates of a service's hosts by itself, from an
// ACME directory.
type AutomaticTLS struct {
	// Directory is the URL of the ACME directory. Empty is proxyd's own, by default Let's
	// Encrypt's. Another one than proxyd's is not followed by its fallback.
	Directory string `json:"directory,omitempty"`
	// CachePath is a folder, as proxyd sees it, as kamal-proxy keeps its certificates in.
	// What it has is taken over before a certificate is ordered. Empty is none but
	// proxyd's own.
	CachePath string `json:"cache_path,omitempty"`
	// OnDemand is a URL, or a path of the service, that is asked with ?host=NAME whether
	// a name may have a certificate when a client first asks for it: any name when the
	// service has no hosts, else those below its wildcards. The status 200 is a yes.
	// Empty: only the hosts of the service get certificates.
	OnDemand string `json:"on_demand,omitempty"`
}

// StagingDirectory is the ACME directory of Let's Encrypt for trials.
const StagingDirectory = "https://acme-staging-v02.api.letsencrypt.org/directory"

// validate reports what is wrong with a for a service with hosts, or nil.
func (a *AutomaticTLS) validate(hosts []string) error {
	if a == nil {
		return nil
	}
	if a.Directory != "" && !isWebAddress(a.Directory, "https") {
		return invalid("--tls-acme-directory",
			"ACME directory %q is not a URL: set --tls-acme-directory to one that begins with https://", a.Directory)
	}
	if a.CachePath != "" && (!strings.HasPrefix(a.CachePath, "/") || strings.ContainsRune(a.CachePath, 0)) {
		return invalid("--tls-acme-cache-path",
			"certificate cache %q is not an absolute path: set --tls-acme-cache-path to one as proxyd sees it", a.CachePath)
	}
	if a.OnDemand == "" {
		if len(hosts) == 0 {
			return invalid("--host",
				"automatic TLS needs a host to get a certificate for: set --host, or --tls-on-demand-url")
		}
		return nil
	}
	if !(strings.HasPrefix(a.OnDemand, "/") && isVisible(a.OnDemand)) && !isWebAddress(a.OnDemand, "http", "https") {
		return invalid("--tls-on-demand-url",
			"%q is neither a path nor a URL: set --tls-on-demand-url to something like /allowed or https://app.example.com/allowed", a.OnDemand)
	}
	return nil
}

// isWebAddress reports whether text is a URL of one of the schemes.
func isWebAddress(text string, schemes ...string) bool {
	at, err := url.Parse(text)
	if err != nil || at.Host == "" || at.User != nil || at.Fragment != "" || !isVisible(text) {
		return false
	}
	return slices.Contains(schemes, at.Scheme)
}

// clone shares nothing with a.
func (a *AutomaticTLS) clone() *AutomaticTLS {
	if a == nil {
		return nil
	}
	c := *a
	return &c
}

// AutomaticCertificate is one name whose certificate proxyd gets by itself.
type AutomaticCertificate struct {
	Host    string `json:"host"`
	Service string `json:"service"`
	// OnDemand: a client asked for the name; no service names it.
	OnDemand bool `json:"on_demand,omitempty"`
	// Authority is the ACME directory that the certificate is of. Empty while there is
	// none.
	Authority string `json:"authority,omitempty"`
	// NotAfter is when the certificate expires.
	NotAfter time.Time `json:"not_after,omitzero"`
	// Trying: an attempt is under way.
	Trying bool `json:"trying,omitempty"`
	// NextAttempt is when the next certificate is asked for: the renewal, or the next try
	// when the last one failed.
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	// Problem is why the last attempt failed, or why none is made. Empty when all is well.
	Problem string `json:"problem,omitempty"`
	// ProblemAt is when the last attempt failed.
	ProblemAt time.Time `json:"problem_at,omitzero"`
	// Failures in a row.
	Failures int `json:"failures,omitempty"`
}
