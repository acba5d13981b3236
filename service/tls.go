package service

import (
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/cert"
	"upfront/internal/logfield"
)

// TLS is how the hosts of a service are reached over TLS. Immutable, but for what the
// authority's file holds.
type TLS struct {
	// Redirect sends clients that come over plain HTTP to https.
	Redirect bool
	// HSTS is the value of Strict-Transport-Security; empty is none.
	HSTS string
	// ClientCA is who the certificates of clients must be of; nil asks for none.
	ClientCA *cert.Authority
}

// onDisk is what a version of a service has read from files.
type onDisk struct {
	pages    errorPages
	pairs    []*cert.Pair
	clientCA *cert.Authority
}

// tls returns what a request needs to know of it; nil for a service without TLS.
func (f onDisk) tls(spec api.Spec) *TLS {
	if spec.TLS == nil {
		return nil
	}
	return &TLS{Redirect: spec.TLS.Redirects(), HSTS: hstsValue(spec.TLS.HSTS), ClientCA: f.clientCA}
}

func hstsValue(h *api.HSTS) string {
	if h == nil {
		return ""
	}
	seconds := int64(max(h.MaxAge.Std(), 0) / time.Second)
	value := "max-age=" + strconv.FormatInt(seconds, 10)
	if h.IncludeSubdomains {
		value += "; includeSubDomains"
	}
	if h.Preload {
		value += "; preload"
	}
	return value
}

// readFiles reads the files that a deploy asks for.
func (r *Registry) readFiles(spec api.Spec) (f onDisk, err error) {
	if f.pages, err = readPages(spec); err != nil {
		return onDisk{}, err
	}
	if spec.TLS == nil {
		return f, nil
	}
	if r.options.Certificates == nil {
		return onDisk{}, failure(api.CodeInvalid, "--tls", "proxyd has no listener for TLS: start it with --https :443")
	}
	f, problems := openTLS(f, spec)
	for _, p := range problems {
		return onDisk{}, failure(api.CodeInvalid, p.flag, "%s", p.err)
	}
	if len(f.pairs) == 0 && spec.TLS.Automatic == nil {
		for _, host := range spec.Hosts {
			if !r.options.Certificates.Covers(host) {
				return onDisk{}, failure(api.CodeInvalid, "--tls-certificate-path",
					"there is no certificate for host %q: set --tls-certificate-path and --tls-private-key-path", host)
			}
		}
	}
	return f, nil
}

type tlsProblem struct {
	flag string
	path string
	err  error
}

// openTLS opens what can be opened of the certificates of a spec, and says what is
// wrong with the others.
func openTLS(f onDisk, spec api.Spec) (_ onDisk, problems []tlsProblem) {
	if spec.TLS == nil {
		return f, nil
	}
	for _, files := range spec.TLS.Certificates {
		pair, err := cert.Open(cert.Files(files))
		if err != nil {
			problems = append(problems, tlsProblem{"--tls-certificate-path", files.Certificate, err})
		}
		f.pairs = append(f.pairs, pair)
	}
	if path := spec.TLS.ClientCA; path != "" {
		authority, err := cert.OpenAuthority(path)
		if err != nil {
			problems = append(problems, tlsProblem{"--tls-client-ca", path, err})
		}
		f.clientCA = authority
	}
	return f, problems
}

// findFiles reads the files of a service that is to be live in any case. One that is
// gone costs only what it was for: a host without its certificate refuses handshakes,
// and one without its client CA lets no client in, until the file is back.
func (r *Registry) findFiles(name string, spec api.Spec) onDisk {
	f, problems := openTLS(onDisk{pages: r.findPages(name, spec)}, spec)
	for _, p := range problems {
		r.logger.Error("Certificate could not be read",
			logfield.Service(name), logfield.Path(p.path), zap.NamedError("error", p.err))
	}
	return f
}

// CheckTLS reports what is wrong with the certificates of d, or nil. Apply does not
// refuse them, so that they cost no start; whoever may refuse a change asks here.
func (d Declared) CheckTLS() error {
	_, problems := openTLS(onDisk{}, d.Spec)
	for _, p := range problems {
		return p.err
	}
	return nil
}

// certificates is what the handshakes of w need.
func (w *world) certificates() []cert.Set {
	var sets []cert.Set
	for _, name := range w.names {
		live := w.entries[name].live
		if live.TLS == nil {
			continue
		}
		sets = append(sets, cert.Set{Hosts: live.spec.Hosts, Pairs: live.files.pairs, ClientCA: live.files.clientCA})
	}
	return sets
}

// certificates is what status shows of them, and what is wrong with them.
func (s *Service) certificates(now time.Time) (all []api.CertificateInfo, problem string) {
	var problems []string
	for _, pair := range s.files.pairs {
		info := pair.Info(now)
		all = append(all, api.CertificateInfo{
			CertificateFiles: api.CertificateFiles(info.Files),
			Names:            info.Names, NotAfter: info.NotAfter, Problem: info.Problem,
		})
		if info.Problem != "" {
			problems = append(problems, info.Problem)
		}
	}
	if len(all) > 0 && s.spec.TLS.Automatic == nil { // else the others are ordered
		for _, host := range s.spec.Hosts {
			if !covered(s.files.pairs, host) {
				problems = append(problems, "no certificate of the service is for host "+strconv.Quote(host))
			}
		}
	}
	if a := s.files.clientCA; a != nil && a.Problem() != "" {
		problems = append(problems, a.Problem())
	}
	return all, strings.Join(problems, "; ")
}

// warnOfCertificates returns what clients of a service that was just deployed will stumble
// over.
func (r *Registry) warnOfCertificates(s *Service) []string {
	_, problem := s.certificates(time.Now())
	if problem == "" {
		return nil
	}
	r.logger.Warn("Service was deployed with certificates that do not fit",
		logfield.Service(s.Name), logfield.Reason(problem))
	return []string{problem}
}

func covered(pairs []*cert.Pair, host string) bool {
	for _, pair := range pairs {
		if pair.Covers(host) {
			return true
		}
	}
	return false
}
