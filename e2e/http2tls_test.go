package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// startHTTP2 starts a proxyd that has one certificate for every name, and more in its
// config file.
func startHTTP2(t *testing.T, more string) *proxy {
	t.Helper()
	dir := t.TempDir()
	certificate, private, _ := newAuthority(t).files(t, dir, "any", host)
	config := filepath.Join(dir, "proxy.yml")
	text := fmt.Sprintf("tls:\n  certificates: {certificate: %s, key: %s}\n%s", certificate, private, more)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return startProxy(t, proxyOptions{https: "127.0.0.1:0", config: config})
}

func TestHTTP2_deployUnderLoadOverTLSFailsNoRequest(t *testing.T) {
	p := startHTTP2(t, "")
	deployUnderHTTP2(t, p, "https://"+p.secure)
}

func TestH2spec_overTLS(t *testing.T) {
	program := os.Getenv("UPFRONT_H2SPEC")
	if program == "" {
		t.Skip("no UPFRONT_H2SPEC: make h2spec runs it")
	}
	p := startHTTP2(t, "")
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	known := map[string]string{}
	for name, why := range knownFailures {
		if !strings.HasPrefix(name, "http2/3.5") { // there is no HTTP/1.1 behind ALPN's h2
			known[name] = why
		}
	}
	judgeH2spec(t, program, p.secure, known, "-t", "-k")
}
