package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"upfront/internal/pebble"
)

// The built proxyd gets a certificate from a real ACME server, by either challenge, and
// has it still behind a restart for which that server is gone.
func TestACME_certificateOfPebble(t *testing.T) {
	requireProgram(t, "pebble")
	requireProgram(t, "pebble-challtestsrv")
	for _, challenge := range []string{"HTTP-01", "TLS-ALPN-01"} {
		t.Run(challenge, func(t *testing.T) {
			plain, secure, dead := freeAddress(t), freeAddress(t), freeAddress(t)
			a := startPebble(t, plain, dead)
			if challenge == "TLS-ALPN-01" {
				a = startPebble(t, dead, secure)
			}
			dir := shortFolder(t)
			config := filepath.Join(dir, "proxy.yml")
			text := fmt.Sprintf("tls: {directory: %q, directory_ca: %q}\n", a.directory, a.rootFile)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			o := proxyOptions{http: plain, https: secure, config: config, dir: dir}
			p := startProxy(t, o)
			p.do(t, "deploy", "shop", "--target", whoAsks(t), "--host", "shop.test", "--tls")
			waitFor(t, time.Minute, "the certificate", func() bool {
				all := p.status(t).Automatic
				return len(all) == 1 && !all[0].NotAfter.IsZero()
			})
			roots := a.issuers(t)
			first := shownCertificate(t, p, roots)
			if list := p.do(t, "list"); strings.Contains(list, "pending") || strings.Contains(list, "failed") {
				t.Errorf("got list\n%s", list)
			}
			a.kill()
			p.signal(t, syscall.SIGTERM)
			p.exit(t, slack(20*time.Second))
			p = startProxy(t, o)
			if again := shownCertificate(t, p, roots); !again.Equal(first) {
				t.Error("another certificate behind the restart")
			}
		})
	}
}

// A directory that nobody answers at costs no deploy, and list says what is missing.
func TestACME_deadDirectoryShowsInList(t *testing.T) {
	config := filepath.Join(t.TempDir(), "proxy.yml")
	if err := os.WriteFile(config, []byte("tls: {directory: \"https://"+freeAddress(t)+"/dir\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, proxyOptions{https: "127.0.0.1:0", config: config})
	p.do(t, "deploy", "shop", "--target", whoAsks(t), "--host", "shop.test", "--tls")
	waitFor(t, time.Minute, "the failure to show", func() bool { return strings.Contains(p.do(t, "list"), "failed") })
}

// shownCertificate is what p serves shop.test with, verified.
func shownCertificate(t *testing.T, p *proxy, roots *x509.CertPool) *x509.Certificate {
	t.Helper()
	conn, err := tls.Dial("tcp", p.secure, &tls.Config{ServerName: "shop.test", RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

// authorityServer is a running ACME server.
type authorityServer struct {
	*process
	directory, management string
	rootFile              string // what the certificate of the directory is of
	client                *http.Client
}

// startPebble starts one that proves names at the given addresses.
func startPebble(t *testing.T, plain, secure string) *authorityServer {
	t.Helper()
	dir, own := t.TempDir(), newAuthority(t)
	certificate, private, _ := own.files(t, dir, "pebble", "localhost")
	b := &authorityServer{management: freeAddress(t), rootFile: filepath.Join(dir, "root.pem")}
	if err := os.WriteFile(b.rootFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := freeAddress(t)
	b.directory = "https://localhost:" + strconv.Itoa(portIn(t, listen)) + "/dir"
	settings, err := pebble.Server{
		Listen: listen, Management: b.management, Certificate: certificate, Key: private,
		HTTPPort: portIn(t, plain), TLSPort: portIn(t, secure),
	}.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	b.process = start(t, pebble.Command(context.Background(), settings, startNames(t)))
	b.drainStdout()
	b.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: own.pool, ServerName: "localhost"}}}
	waitFor(t, 20*time.Second, "pebble to answer", func() bool {
		res, err := b.client.Get(b.directory)
		if err == nil {
			_ = res.Body.Close()
		}
		return err == nil
	})
	return b
}

// startNames starts a DNS server that says 127.0.0.1 for every name.
func startNames(t *testing.T) (address string) {
	t.Helper()
	address, management := freeAddress(t), freeAddress(t)
	names := start(t, pebble.NamesCommand(context.Background(), address, management))
	names.drainStdout()
	waitFor(t, 20*time.Second, "the DNS server to listen", func() bool {
		conn, err := net.Dial("tcp", management)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return address
}

// issuers is the pool of what it signs with.
func (b *authorityServer) issuers(t *testing.T) *x509.CertPool {
	t.Helper()
	pool, err := pebble.Issuers(t.Context(), b.client, b.management)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

func portIn(t *testing.T, address string) int {
	t.Helper()
	_, text, _ := net.SplitHostPort(address)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
