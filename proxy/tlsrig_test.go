package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upfront/service"
)

// overTLS makes every test of this package that talks to a rig do so over TLS: what
// holds for plain connections has to hold there. UPFRONT_TEST_TLS=1 asks for it.
var overTLS = os.Getenv("UPFRONT_TEST_TLS") == "1"

// aboutPlain are the tests that overTLS leaves alone.
var aboutPlain = map[string]bool{
	// They say http, or speak to the rig by themselves.
	"TestAccessLog_hasTheKeysOfKamalProxy":                   true,
	"TestServer_passesARequestOnAndItsAnswerBack":            true,
	"TestServer_saysWhoTheClientIs":                          true,
	"TestServer_forwardHeaders":                              true,
	"TestServer_losesNoRequestWhileVersionsReplaceEachOther": true,
	"TestServer_leaksNothingWhenClientsLeave":                true,
	"TestRedirect":                                        true,
	"TestRedirect_holdsForServicesBelow":                  true,
	"TestHSTS_isSaidOverTLSOnly":                          true,
	"TestClientCA_letsNobodyInOverPlainHTTP":              true,
	"TestProxyHeader_namesTheClient":                      true,
	"TestProxyHeader_isRefused":                           true,
	"TestProxyHeader_mustComeInTime":                      true,
	"TestProxyHeader_countsTheClientNotTheBalancer":       true,
	"TestServer_sharesTheSeatsAmongListeners":             true,
	"TestServer_Shutdown_failsNoRequestOfKeptConnections": true,
	"TestServer_Shutdown_cutsNobodyItAccepted":            true,
	"TestServer_carriesBodiesOfEverySizeAndFraming":       true,
	"TestServer_carriesTenMegabytesBothWays":              true,
	"TestServer_carriesManyBodiesAtOnce":                  true,
	// Its routes wait, and a handshake asks them too.
	"TestServer_Shutdown_cutsWhatAsksItsTargetAfterThat": true,
	// A client that has no seat, or too many, has no handshake to send something in.
	"TestServer_turnsAwayAnAddressWithTooManyConnections":   true,
	"TestServer_letsNobodyHoldConnectionsThatAreTurnedAway": true,
	"TestServer_letsConnectionsWaitWhereMemoryHasNoRoom":    true,
	"TestServer_letsNewClientsWaitWhileNoneIdles":           true,
	"TestServer_admitsNoMoreThanTheLimit":                   true,
	"TestServer_Shutdown_answersAClientThatWaitsForASeat":   true,
	// They count what an encrypted piece has more of: reads, allocations, memory, steps.
	"TestServer_allocatesNothingForAPlainRequest": true,
	"TestServer_holdsLittleForAnIdleConnection":   true,
	"TestReadAhead_confinesAPanicToItsConnection": true,
	"TestPour_holdsNoPipeForClientsThatDoNotRead": true,
}

func isAboutPlain(t *testing.T) bool {
	name, _, _ := strings.Cut(t.Name(), "/")
	return aboutPlain[name]
}

// authority signs certificates for tests.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = a.sign(template, nil)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(template *x509.Certificate, parent *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	by, with := template, key
	if parent != nil {
		by, with = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, &key.PublicKey, with)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// issue returns a certificate for names, good for both sides of a handshake.
func (a *authority) issue(names ...string) tls.Certificate {
	a.t.Helper()
	cert, key := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// file holds the authority, for those that are to trust it.
func (a *authority) file() string {
	a.t.Helper()
	path := filepath.Join(a.t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// only is a choice of one.
func only(cert tls.Certificate) *TLSOptions {
	return &TLSOptions{Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }}
}

// tlsClient is a client's end of a TLS connection that can do what a TCP one can.
type tlsClient struct {
	*tls.Conn
	tcp *net.TCPConn
}

// CloseWrite says close_notify and FIN, as clients do that are done.
func (c *tlsClient) CloseWrite() error {
	_ = c.Conn.CloseWrite()
	return c.tcp.CloseWrite()
}

func (c *tlsClient) SetLinger(n int) error      { return c.tcp.SetLinger(n) }
func (c *tlsClient) SetReadBuffer(n int) error  { return c.tcp.SetReadBuffer(n) }
func (c *tlsClient) SetWriteBuffer(n int) error { return c.tcp.SetWriteBuffer(n) }

// secured wraps a connection of a client in TLS.
func secured(t testing.TB, conn net.Conn, config *tls.Config) *tlsClient {
	t.Helper()
	c := &tlsClient{Conn: tls.Client(conn, config), tcp: conn.(*net.TCPConn)}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return c // the handshake comes with the first byte
}

// tuned is what tests do to a client's connection.
type tuned interface {
	CloseWrite() error
	SetLinger(int) error
	SetReadBuffer(int) error
}

func tune(conn net.Conn) tuned { return conn.(tuned) }

// joined writes first with whatever is written first.
type joined struct {
	net.Conn
	first string
}

func (j *joined) Write(b []byte) (int, error) {
	if j.first == "" {
		return j.Conn.Write(b)
	}
	n, err := j.Conn.Write(append([]byte(j.first), b...))
	n = max(n-len(j.first), 0)
	j.first = ""
	return n, err
}

// tlsOver is a client of host "a" over any connection.
func tlsOver(conn net.Conn, a *authority) net.Conn {
	return tls.Client(conn, &tls.Config{RootCAs: a.pool, ServerName: "a", MinVersion: tls.VersionTLS12})
}

// hostRoutes leads by host, and by path where a service has a prefix.
type hostRoutes map[string]*service.Service

// Match finds "host/prefix" before "host".
func (h hostRoutes) Match(host, path []byte) (*service.Service, string, bool) {
	name := strings.ToLower(string(hostName(host)))
	if _, rest, ok := strings.Cut(string(path), "/"); ok {
		first, _, _ := strings.Cut(rest, "/")
		if svc := h[name+"/"+first]; svc != nil {
			return svc, "/" + first, true
		}
	}
	svc := h[name]
	return svc, "/", svc != nil
}
