package daemon

import (
	"github.com/libdns/cloudflare"
	"github.com/libdns/rfc2136"

	"upfront/cert/acme"
)

// dnsProviders are those that tls.dns.provider can name. Each reads its options from
// the JSON keys of its struct. docs/certificates.md says how to build with another one.
var dnsProviders = map[string]func() acme.DNSProvider{
	"cloudflare": func() acme.DNSProvider { return &cloudflare.Provider{} },
	"rfc2136":    func() acme.DNSProvider { return &rfc2136.Provider{} },
}
