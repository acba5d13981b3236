package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"upfront/api"
)

// acmeFlags are how the certificates of a service are got automatically. The names are
// kamal-proxy's.
type acmeFlags struct {
	staging                    bool
	directory, cache, onDemand string
}

// register adds the flags; what f has is their default.
func (f *acmeFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.onDemand, "tls-on-demand-url", "", "URL, or path of the service, that is asked with ?host=NAME whether a name may have a certificate")
	flags.BoolVar(&f.staging, "tls-staging", false, "get certificates from Let's Encrypt's directory for trials")
	flags.StringVar(&f.directory, "tls-acme-directory", "", "URL of the ACME directory to get certificates from (default proxyd's)")
	flags.StringVar(&f.cache, "tls-acme-cache-path", f.cache, "folder, as proxyd sees it, of kamal-proxy's certificates, which are taken over")
	noFiles(cmd, "tls-on-demand-url", "tls-acme-directory")
}

// set makes the certificates of a service that has TLS, and none from files, automatic.
func (f *acmeFlags) set(spec *api.Spec) error {
	if spec.TLS == nil || len(spec.TLS.Certificates) > 0 {
		switch { // the cache is named by scripts that always name it
		case f.onDemand != "":
			return wrong("--tls", "--tls-on-demand-url does nothing without --tls, or beside certificates from files: add --tls")
		case f.staging:
			return wrong("--tls", "--tls-staging does nothing without --tls: add --tls")
		case f.directory != "":
			return wrong("--tls", "--tls-acme-directory does nothing without --tls: add --tls")
		}
		return nil
	}
	if f.staging {
		if f.directory != "" && f.directory != api.StagingDirectory {
			return wrong("--tls-staging", "--tls-staging and --tls-acme-directory are two directories: give one of them")
		}
		f.directory = api.StagingDirectory
	}
	spec.TLS.Automatic = &api.AutomaticTLS{Directory: f.directory, CachePath: f.cache, OnDemand: f.onDemand}
	return nil
}

// automaticOf are the certificates of the hosts that a service names.
func automaticOf(service string, all []api.AutomaticCertificate) (own []api.AutomaticCertificate) {
	for _, c := range all {
		if c.Service == service && !c.OnDemand {
			own = append(own, c)
		}
	}
	return own
}

// writeAutomatic shows the names whose certificates proxyd gets by itself. Those that
// clients asked for can be many: of them only the ones with a problem are shown.
func (s *session) writeAutomatic(all []api.AutomaticCertificate) {
	var t table
	quiet := 0
	for _, c := range all {
		if c.OnDemand && c.Problem == "" {
			quiet++
			continue
		}
		t.row(s.automaticRow(c)...)
	}
	if len(all) > 0 {
		fmt.Fprintf(s.out, "\n%s\n", s.out.paint(bold, "certificates"))
	}
	t.write(s.out, "  ")
	if quiet > 0 {
		fmt.Fprintf(s.out, "  %s on demand\n", count(quiet, "certificate"))
	}
}

func (s *session) automaticRow(c api.AutomaticCertificate) []cell {
	now := s.Now()
	state := cell{"missing", red}
	if !c.NotAfter.IsZero() {
		state = cell{"valid for " + span(c.NotAfter.Sub(now)), green}
		if !c.NotAfter.After(now) {
			state = cell{"expired", red}
		}
	}
	next := ""
	switch {
	case c.Trying:
		next = "trying now"
	case !c.NextAttempt.IsZero():
		next = "next attempt in " + span(max(c.NextAttempt.Sub(now), 0))
	}
	problem := c.Problem
	if problem != "" && c.Failures > 0 {
		problem = fmt.Sprintf("%s, last %s: %s", count(c.Failures, "failure"), age(now, c.ProblemAt), problem)
	}
	return []cell{{text: c.Host}, {text: c.Service}, state, {text: next}, {text: problem}}
}
