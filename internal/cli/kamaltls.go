package cli

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"upfront/api"
)

// kamalTLSFlags are kamal-proxy's flags for TLS.
type kamalTLSFlags struct {
	on, staging, redirect bool
	onDemand              string
	certificate, key      string
	cache, canonicalHost  string
}

func (f *kamalTLSFlags) register(cmd *cobra.Command, env func(string) string) {
	flags := cmd.Flags()
	flags.BoolVar(&f.on, "tls", false, "serve the hosts over TLS")
	flags.StringVar(&f.onDemand, "tls-on-demand-url", "", "path of the service, or URL, that is asked whether a host may have a certificate")
	flags.BoolVar(&f.staging, "tls-staging", false, "get certificates from Let's Encrypt's directory for trials")
	flags.StringVar(&f.certificate, "tls-certificate-path", "", "file with the certificate, in PEM, as the proxy sees it")
	flags.StringVar(&f.key, "tls-private-key-path", "", "file with its private key, in PEM")
	flags.StringVar(&f.cache, "tls-acme-cache-path", filepath.Join(api.KamalFolder(env), "certs"), "folder for certificates from ACME")
	flags.BoolVar(&f.redirect, "tls-redirect", true, "redirect HTTP to HTTPS")
	flags.StringVar(&f.canonicalHost, "canonical-host", "", "redirect the other hosts to this one")
	cmd.MarkFlagsRequiredTogether("tls-certificate-path", "tls-private-key-path")
}

// settings is what the flags ask for; nil when that is nothing. The errors are
// kamal-proxy's, in its order.
func (f *kamalTLSFlags) settings(spec api.Spec) (*api.KamalTLS, error) {
	bad := func(format string, args ...any) (*api.KamalTLS, error) {
		return nil, wrong("", "service options invalid: "+format, args...)
	}
	spec = spec.WithDefaults()
	anyHost := len(spec.Hosts) == 0
	if f.onDemand != "" {
		switch {
		case !f.on:
			return bad("TLS must be enabled to use a TLS on-demand URL")
		case !anyHost:
			return bad("cannot set hosts when using a TLS on-demand URL")
		case f.certificate != "":
			return bad("cannot use a custom TLS certificate with a TLS on-demand URL")
		case f.canonicalHost != "":
			return bad("cannot set a canonical host when using a TLS on-demand URL")
		}
	} else if f.on && anyHost {
		return bad("host must be set when using TLS")
	}
	if f.on && !slices.Contains(spec.PathPrefixes, "/") {
		return bad("TLS settings must be specified on the root path service")
	}
	if f.canonicalHost != "" && !anyHost && !slices.Contains(spec.Hosts, strings.ToLower(f.canonicalHost)) {
		return bad("canonical-host '%s' must be present in the hosts list: %v", f.canonicalHost, spec.Hosts)
	}
	if f.on && f.certificate == "" && slices.ContainsFunc(spec.Hosts, func(host string) bool { return strings.HasPrefix(host, "*") }) {
		return nil, wrong("", "automatic TLS does not support wildcards")
	}
	if !f.on && f.canonicalHost == "" {
		return nil, nil
	}
	tls := &api.KamalTLS{
		Enabled: f.on, CertificatePath: f.certificate, PrivateKeyPath: f.key, OnDemandURL: f.onDemand,
		KeepHTTP: !f.redirect, CanonicalHost: f.canonicalHost, ACMECachePath: f.cache,
	}
	if f.staging {
		tls.ACMEDirectory = api.ACMEStaging
	}
	return tls, nil
}
