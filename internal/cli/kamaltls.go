package cli

import (
	"slices"
	"strings"

	"upfront/api"
)

// kamalTLS makes of the flags for TLS what kamal-proxy makes of them: without --tls
// none but --canonical-host says anything, and beside a certificate from a file those
// for ACME say nothing. The refusals are kamal-proxy's, in its order.
func (f *deployFlags) kamalTLS() error {
	if f.tls.certificates[0] == "" || f.tls.keys[0] == "" {
		f.tls.certificates, f.tls.keys = nil, nil
	}
	if err := f.kamalTLSRefusal(); err != nil {
		return err
	}
	if !f.tls.on {
		f.tls = tlsFlags{canonical: f.tls.canonical}
	}
	if !f.tls.on || len(f.tls.certificates) > 0 {
		f.acme = acmeFlags{}
	}
	return nil
}

func (f *deployFlags) kamalTLSRefusal() error {
	bad := func(format string, args ...any) error {
		return wrong("", "service options invalid: "+format, args...)
	}
	spec := api.Spec{Hosts: f.hosts, PathPrefixes: f.pathPrefixes}.WithDefaults()
	anyHost, automatic := len(spec.Hosts) == 0, len(f.tls.certificates) == 0
	if f.acme.onDemand != "" {
		switch {
		case !f.tls.on:
			return bad("TLS must be enabled to use a TLS on-demand URL")
		case !anyHost:
			return bad("cannot set hosts when using a TLS on-demand URL")
		case !automatic:
			return bad("cannot use a custom TLS certificate with a TLS on-demand URL")
		case f.tls.canonical != "":
			return bad("cannot set a canonical host when using a TLS on-demand URL")
		}
	} else if f.tls.on && anyHost {
		return bad("host must be set when using TLS")
	}
	if f.tls.on && !slices.Contains(spec.PathPrefixes, "/") {
		return bad("TLS settings must be specified on the root path service")
	}
	if name := f.tls.canonical; name != "" && !anyHost && !slices.Contains(spec.Hosts, strings.ToLower(name)) {
		return bad("canonical-host '%s' must be present in the hosts list: %v", name, spec.Hosts)
	}
	if f.tls.on && automatic && slices.ContainsFunc(spec.Hosts, func(host string) bool { return strings.HasPrefix(host, "*") }) {
		return wrong("", "automatic TLS does not support wildcards")
	}
	return nil
}
