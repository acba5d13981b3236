package api

import (
	"os"
	"path/filepath"
)

// KamalSocketVariable is the environment variable that names kamal-proxy's socket.
const KamalSocketVariable = "KAMAL_PROXY_SOCKET"

// KamalSocket is where the socket is under kamal-proxy's name: $KAMAL_PROXY_SOCKET,
// else kamal-proxy.sock in $XDG_RUNTIME_DIR or in the folder for temporary files.
func KamalSocket(env func(string) string) string {
	if path := env(KamalSocketVariable); path != "" {
		return path
	}
	folder := env("XDG_RUNTIME_DIR")
	if folder == "" {
		folder = os.TempDir()
	}
	return filepath.Join(folder, "kamal-proxy.sock")
}

// KamalFolder is where state and certificates are under kamal-proxy's name:
// .config/kamal-proxy in the home folder, or in that for temporary files.
func KamalFolder(env func(string) string) string {
	home := env("HOME")
	if home == "" {
		home = os.TempDir()
	}
	return filepath.Join(home, ".config", "kamal-proxy")
}

// KamalTLS is what kamal-proxy says of TLS for a service, kept until something heeds
// it.
type KamalTLS struct {
	// Enabled serves the hosts of the service over TLS.
	Enabled bool `json:"enabled,omitempty"`
	// CertificatePath and PrivateKeyPath are files in PEM. Empty: the certificate is
	// had from ACMEDirectory.
	CertificatePath string `json:"certificate_path,omitempty"`
	PrivateKeyPath  string `json:"private_key_path,omitempty"`
	// OnDemandURL is asked whether a host may have a certificate. Empty is off.
	OnDemandURL string `json:"on_demand_url,omitempty"`
	// KeepHTTP does not redirect plain HTTP to https.
	KeepHTTP bool `json:"keep_http,omitempty"`
	// CanonicalHost is the host that the others are redirected to. Empty is none.
	CanonicalHost string `json:"canonical_host,omitempty"`
	// ACMEDirectory is a URL. Empty is Let's Encrypt's.
	ACMEDirectory string `json:"acme_directory,omitempty"`
	// ACMECachePath is the folder of the certificates.
	ACMECachePath string `json:"acme_cache_path,omitempty"`
}

// ACMEStaging is the ACME directory of Let's Encrypt for trials.
const ACMEStaging = "https://acme-staging-v02.api.letsencrypt.org/directory"
