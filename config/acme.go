package config

import (
	"net/netip"
	"net/url"
	"strings"
	"time"

	"upfront/api"
)

// ACME is how certificates are got automatically.
type ACME struct {
	Authority          // that is asked first
	Storage   string   // folder of certificates, keys and accounts
	Caches    []string // folders of kamal-proxy's certificates
	Fallback  *Authority
	DNS       DNS
}

// Authority is one certificate authority.
type Authority struct {
	Directory   string // URL
	DirectoryCA string // file with the roots that its own certificate must be of
	Email       string
	EAB         ExternalAccount
}

// ExternalAccount is what an authority gave out to tell us by.
type ExternalAccount struct {
	KeyID  string
	MACKey string // or "file:PATH"
}

// DNS is how DNS-01 is answered.
type DNS struct {
	Provider           string
	Options            map[string]string // of the provider; values may be "file:PATH"
	Resolvers          []string          // "host:port"
	PropagationTimeout time.Duration
}

// tls reads the section of the daemon.
func (d *decoder) tls(v value) {
	to := &d.file.ACME
	d.mapping(v, append(d.authorityKeys(&to.Authority),
		key{"certificates", into(&d.file.Certificates, d.certificates)},
		key{"storage", into(&to.Storage, d.filePath)},
		key{"caches", into(&to.Caches, d.folders)},
		key{"fallback", func(v value) {
			to.Fallback = &Authority{}
			d.mapping(v, d.authorityKeys(to.Fallback)...)
		}},
		key{"dns", func(v value) { d.dns(v, &to.DNS) }},
	)...)
}

func (d *decoder) authorityKeys(to *Authority) []key {
	return []key{
		{"email", into(&to.Email, d.email)},
		{"directory", into(&to.Directory, d.secureURL)},
		{"staging", func(v value) {
			if d.flag(v) {
				to.Directory = api.StagingDirectory
			}
		}},
		{"directory_ca", into(&to.DirectoryCA, d.filePath)},
		{"eab", func(v value) {
			d.mapping(v, key{"key_id", into(&to.EAB.KeyID, d.word)}, key{"mac_key", into(&to.EAB.MACKey, d.word)})
			if (to.EAB.KeyID == "") != (to.EAB.MACKey == "") {
				d.failValue(v, "needs both key_id and mac_key: add the other one")
			}
		}},
	}
}

func (d *decoder) dns(v value, to *DNS) {
	d.mapping(v,
		key{"provider", into(&to.Provider, d.word)},
		key{"options", func(v value) {
			to.Options = map[string]string{}
			for _, f := range d.fields(v) {
				to.Options[f.key], _ = d.scalar(f.value)
			}
		}},
		key{"resolvers", func(v value) {
			for _, item := range d.items(v) {
				written, ok := d.text(item)
				if _, err := netip.ParseAddrPort(written); ok && err != nil {
					d.failValue(item, "%q is not an address with a port: write it like 1.1.1.1:53", written)
				}
				to.Resolvers = append(to.Resolvers, written)
			}
		}},
		key{"propagation_timeout", func(v value) {
			if to.PropagationTimeout, _ = d.duration(v); to.PropagationTimeout == 0 {
				to.PropagationTimeout = -1 // does not look
			}
		}},
	)
	if to.Provider == "" {
		d.failValue(v, "names no provider: add provider: NAME")
	}
}

func (d *decoder) folders(v value) (all []string) {
	for _, item := range d.items(v) {
		all = append(all, d.filePath(item))
	}
	return all
}

func (d *decoder) email(v value) string {
	written, ok := d.text(v)
	if ok && (strings.Count(written, "@") != 1 || strings.ContainsAny(written, " \t,<>")) {
		d.failValue(v, "%q is not an e-mail address: write it like ops@example.com", written)
	}
	return written
}

func (d *decoder) secureURL(v value) string {
	written, ok := d.text(v)
	if at, err := url.Parse(written); ok && (err != nil || at.Scheme != "https" || at.Host == "") {
		d.failValue(v, "%q is not the URL of an ACME directory: begin it with https://", written)
	}
	return written
}

// automatic reads true, false, or a mapping.
func (d *decoder) automatic(v value) *api.AutomaticTLS {
	to := &api.AutomaticTLS{}
	if _, ok := mappingEntries(v.node); !ok {
		if !d.flag(v) {
			return nil
		}
		return to
	}
	d.mapping(v,
		key{"directory", into(&to.Directory, d.secureURL)},
		key{"staging", func(v value) {
			if d.flag(v) {
				to.Directory = api.StagingDirectory
			}
		}},
		key{"cache", into(&to.CachePath, d.filePath)},
		key{"on_demand", into(&to.OnDemand, d.word)},
	)
	return to
}
