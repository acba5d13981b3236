package cli

import (
	"github.com/spf13/cobra"

	"upfront/api"
)

// targetTLSFlags are how targets are spoken to over TLS.
type targetTLSFlags struct{ api.TargetTLS }

func (f *targetTLSFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.CA, "target-tls-ca", "", "file, as proxyd sees it, with the authorities that targets are trusted by (default the system's)")
	flags.StringVar(&f.Name, "target-tls-name", "", "name that a target's certificate is for (default the target's host)")
	flags.StringVar(&f.Certificate, "target-tls-certificate", "", "file with the certificate that is shown to targets")
	flags.StringVar(&f.Key, "target-tls-key", "", "file with its key")
	flags.BoolVar(&f.InsecureSkipVerify, "target-tls-insecure-skip-verify", false, "take any certificate of a target: what goes there can be read and changed on the way")
	noFiles(cmd, "target-tls-name")
}

func (f *targetTLSFlags) set(spec *api.Spec) {
	if f.TargetTLS != (api.TargetTLS{}) {
		spec.TargetTLS = &f.TargetTLS
	}
}

// optionalText is a flag whose empty text means something else than its absence.
type optionalText struct{ to **string }

// String returns the text, "" when there is none.
func (o optionalText) String() string {
	if o.to == nil || *o.to == nil {
		return ""
	}
	return **o.to
}

// Set takes the text of the command line.
func (o optionalText) Set(text string) error {
	*o.to = &text
	return nil
}

// Type is what help calls the value.
func (o optionalText) Type() string { return "string" }
