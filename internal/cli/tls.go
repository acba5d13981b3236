package cli

import (
	"time"

	"github.com/spf13/cobra"

	"upfront/api"
)

// tlsFlags are how clients reach a service over TLS. Those that kamal-proxy has are
// named as there.
type tlsFlags struct {
	on, redirect          bool
	certificates, keys    []string
	clientCA, canonical   string
	hsts                  time.Duration
	hstsSubdomains, hstsP bool
}

func (f *tlsFlags) register(cmd *cobra.Command, kamal bool) {
	flags := cmd.Flags()
	flags.BoolVar(&f.on, "tls", false, "serve the hosts over TLS, with certificates that proxyd gets by itself unless files are given")
	f.files(cmd, kamal)
	flags.StringVar(&f.clientCA, "tls-client-ca", "", "file with the CAs, in PEM, that certificates of clients must be of (default none asked)")
	flags.BoolVar(&f.redirect, "tls-redirect", true, "redirect plain HTTP to https")
	flags.DurationVar(&f.hsts, "hsts", 0, "time for which browsers come over https only, such as 8760h; 0 is not said")
	flags.BoolVar(&f.hstsSubdomains, "hsts-include-subdomains", false, "the same for all hosts below")
	flags.BoolVar(&f.hstsP, "hsts-preload", false, "allow browsers to know that from the start")
	flags.StringVar(&f.canonical, "canonical-host", "", "host that clients of the others are redirected to")
}

// files adds the flags for certificates, of which kamal-proxy has one.
func (f *tlsFlags) files(cmd *cobra.Command, kamal bool) {
	flags := cmd.Flags()
	if kamal {
		f.certificates, f.keys = make([]string, 1), make([]string, 1)
		flags.StringVar(&f.certificates[0], "tls-certificate-path", "", "certificate in PEM, its chain behind it, as the proxy sees it")
		flags.StringVar(&f.keys[0], "tls-private-key-path", "", "private key of the certificate")
		cmd.MarkFlagsRequiredTogether("tls-certificate-path", "tls-private-key-path")
		return
	}
	flags.StringSliceVar(&f.certificates, "tls-certificate-path", nil, "certificate in PEM, its chain behind it, as proxyd sees it; again for several")
	flags.StringSliceVar(&f.keys, "tls-private-key-path", nil, "private key of the certificate; again for several, in the same order")
}

func (f *tlsFlags) set(spec *api.Spec) error {
	spec.CanonicalHost = f.canonical
	if !f.on && len(f.certificates) == 0 && len(f.keys) == 0 && f.clientCA == "" && f.hsts == 0 {
		return nil
	}
	if !f.on && len(f.certificates) == 0 && len(f.keys) == 0 {
		return wrong("--tls", "--hsts and --tls-client-ca do nothing without --tls: add --tls")
	}
	if len(f.certificates) != len(f.keys) {
		return wrong("--tls-private-key-path",
			"%d --tls-certificate-path and %d --tls-private-key-path: each certificate needs its key", len(f.certificates), len(f.keys))
	}
	t := &api.TLS{ClientCA: f.clientCA}
	for i := range f.certificates {
		t.Certificates = append(t.Certificates, api.CertificateFiles{Certificate: f.certificates[i], Key: f.keys[i]})
	}
	if !f.redirect {
		t.Redirect = &f.redirect
	}
	if f.hsts != 0 {
		t.HSTS = &api.HSTS{MaxAge: api.Duration(f.hsts), IncludeSubdomains: f.hstsSubdomains, Preload: f.hstsP}
	}
	spec.TLS = t
	return nil
}

// tlsCell says whether a service has TLS, and when the first of its certificates expires;
// of automatic ones that are not there yet, whether they only take their time.
func tlsCell(service api.ServiceInfo, automatic []api.AutomaticCertificate, now time.Time) cell {
	if service.Spec.TLS == nil {
		return cell{text: "no"}
	}
	var first time.Time
	expires := func(at time.Time) {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	c := cell{text: "yes"}
	for _, own := range service.Certificates {
		expires(own.NotAfter)
		if own.Problem != "" {
			c.colour = red
		}
	}
	missing := cell{}
	for _, one := range automatic {
		expires(one.NotAfter)
		switch {
		case !one.NotAfter.IsZero():
		case one.Problem != "":
			missing = cell{"failed", red}
		case missing.text == "":
			missing = cell{"pending", yellow}
		}
	}
	if missing.text != "" {
		return missing
	}
	if !first.IsZero() {
		c.text = expiry(first, now)
	}
	return c
}

// expiry is how long a certificate still holds.
func expiry(at, now time.Time) string {
	if !at.After(now) {
		return "expired"
	}
	return span(at.Sub(now))
}

// certificateRow is one certificate as status shows it.
func (s *session) certificateRow(c api.CertificateInfo) []cell {
	names := "none that is good"
	if len(c.Names) > 0 {
		names = joinSome(c.Names)
	}
	valid := cell{}
	if !c.NotAfter.IsZero() {
		valid.text = "expires in " + span(c.NotAfter.Sub(s.Now()))
		if !c.NotAfter.After(s.Now()) {
			valid = cell{text: "expired", colour: red}
		}
	}
	return []cell{{text: "certificate " + c.Certificate}, {text: names}, valid}
}

// joinSome names the first few.
func joinSome(names []string) string {
	const most = 4
	text := ""
	for i, name := range names {
		if i == most {
			return text + ", ..."
		}
		if i > 0 {
			text += ", "
		}
		text += name
	}
	return text
}
