// Package pebble says how tests run the real ACME server of that name, as Debian's
// package has it, and the DNS server that comes with it. Who starts the commands ends
// them; ctx kills them.
package pebble

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// Server is an ACME server. It refuses some nonces, as it does by default.
type Server struct {
	Listen, Management string            // addresses, host:port; its directory is /dir of the first
	Certificate, Key   string            // files, of the directory itself
	HTTPPort, TLSPort  int               // where names have to be proved
	Accounts           map[string]string // keys of external accounts by their id; with any, one is required
}

// Write writes the settings of s into a folder and returns their file.
func (s Server) Write(folder string) (file string, err error) {
	text, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": s.Listen, "managementListenAddress": s.Management,
		"certificate": s.Certificate, "privateKey": s.Key, "httpPort": s.HTTPPort, "tlsPort": s.TLSPort,
		"externalAccountBindingRequired": len(s.Accounts) > 0, "externalAccountMACKeys": s.Accounts,
	}})
	if err != nil {
		return "", err
	}
	file = filepath.Join(folder, "pebble.json")
	return file, os.WriteFile(file, text, 0o600)
}

// Command runs a server with the settings of a file. It asks the DNS server at names.
func Command(ctx context.Context, file, names string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "pebble", "-config", file, "-dnsserver", names)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	return cmd
}

// NamesCommand runs a DNS server that says 127.0.0.1 for every name.
func NamesCommand(ctx context.Context, address, management string) *exec.Cmd {
	return exec.CommandContext(ctx, "pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", address,
		"-http01", "", "-https01", "", "-tlsalpn01", "", "-management", management)
}

// Issuers is the pool of what the server with a management address issues from. client
// has to trust the server's own certificate.
func Issuers(ctx context.Context, client *http.Client, management string) (*x509.CertPool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+management+"/roots/0", nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("pebble has no root: %q", text)
	}
	return pool, nil
}
