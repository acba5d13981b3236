package config

import (
	"net/netip"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"upfront/api"
)

// Listener is one address where clients arrive.
type Listener struct {
	Address string // "host:port", host may be empty
	// ProxyProtocol are the networks of load balancers that send a PROXY header.
	ProxyProtocol []netip.Prefix
}

// Certificate is a pair of files, and where the file names it.
type Certificate struct {
	api.CertificateFiles
	Line, Column int
}

// listenAt reads where to listen: one address, a mapping with one, or a list of these.
func (d *decoder) listenAt(v value) []Listener {
	items := d.items(v)
	if len(items) == 0 {
		d.failValue(v, "has no address: write one such as \":80\", or remove the key")
	}
	var all []Listener
	for _, item := range items {
		if one := d.listener(item); one.Address != "" {
			all = append(all, one)
		}
	}
	return all
}

func (d *decoder) listener(v value) (l Listener) {
	if _, ok := mappingEntries(v.node); !ok {
		l.Address = d.listenAddress(v)
		return l
	}
	before, said := len(d.errs), false
	d.mapping(v,
		key{"address", func(v value) { l.Address, said = d.listenAddress(v), true }},
		key{"proxy_protocol", into(&l.ProxyProtocol, d.networks)},
	)
	if !said && len(d.errs) == before {
		d.failValue(v, "has no address: add address: \":80\"")
	}
	return l
}

func (d *decoder) listenAddress(v value) string {
	written, ok := d.text(v)
	if !ok {
		return ""
	}
	if problem := listenAddressProblem(written); problem != "" {
		d.failValue(v, "%q %s", written, problem)
		return ""
	}
	return written
}

func (d *decoder) certificates(v value) []Certificate {
	items := []value{v}
	if _, ok := mappingEntries(v.node); !ok {
		if items = d.items(v); len(items) == 0 {
			d.failValue(v, "has no certificate: write one as {certificate: FILE, key: FILE}, or remove the key")
		}
	}
	var all []Certificate
	for _, item := range items {
		one := Certificate{Line: item.at.line, Column: item.at.column}
		before := len(d.errs)
		d.mapping(item,
			key{"certificate", into(&one.Certificate, d.filePath)},
			key{"key", into(&one.Key, d.filePath)},
		)
		if len(d.errs) == before && (one.Certificate == "" || one.Key == "") {
			d.failValue(item, "lacks a file: write certificate: FILE and key: FILE")
		}
		all = append(all, one)
	}
	return all
}

// serviceTLS reads the section of a service; true alone is all defaults, false none,
// automatic the defaults with automatic certificates.
func (d *decoder) serviceTLS(v value, s *Service) {
	s.TLSLine, s.TLSColumn = v.at.line, v.at.column
	if word, ok := v.node.(*ast.StringNode); ok {
		s.Spec.TLS = &api.TLS{Automatic: &api.AutomaticTLS{}}
		if word.Value != "automatic" {
			d.failValue(v, "must be automatic, true or a mapping, not %q", word.Value)
		}
		return
	}
	if _, ok := mappingEntries(v.node); !ok {
		if d.flag(v) {
			s.Spec.TLS = &api.TLS{}
		}
		return
	}
	t := &api.TLS{}
	s.Spec.TLS = t
	d.mapping(v,
		key{"certificates", func(v value) {
			for _, one := range d.certificates(v) {
				t.Certificates = append(t.Certificates, one.CertificateFiles)
			}
		}},
		key{"automatic", func(v value) { t.Automatic = d.automatic(v) }},
		key{"client_ca", into(&t.ClientCA, d.filePath)},
		key{"redirect", func(v value) {
			redirect := d.flag(v)
			t.Redirect = &redirect
		}},
		key{"hsts", func(v value) { t.HSTS = d.hsts(v) }},
	)
}

// hsts reads true or a mapping.
func (d *decoder) hsts(v value) *api.HSTS {
	if _, ok := mappingEntries(v.node); !ok {
		if d.flag(v) {
			return &api.HSTS{}
		}
		return nil
	}
	h := &api.HSTS{}
	d.mapping(v,
		key{"max_age", func(v value) {
			if age, ok := d.duration(v); ok {
				if h.MaxAge = api.Duration(age); age == 0 {
					h.MaxAge = -1 // clients forget
				}
			}
		}},
		key{"include_subdomains", into(&h.IncludeSubdomains, d.flag)},
		key{"preload", into(&h.Preload, d.flag)},
	)
	return h
}

func (d *decoder) canonicalHost(v value) string {
	written, ok := d.text(v)
	if !ok {
		return ""
	}
	problem := hostProblem(written)
	if strings.HasPrefix(written, "*.") {
		problem = "is a wildcard: write one host"
	}
	if problem != "" {
		d.failValue(v, "%q %s", written, problem)
		return ""
	}
	return written
}
