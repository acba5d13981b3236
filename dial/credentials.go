package dial

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// TLS is how a target is spoken to over TLS: version 1.2 or later, with the suites of
// Go. The zero value trusts the authorities of the system, asks for the host of the
// target's address and shows no certificate.
type TLS struct {
	// CA is a file with the certificates, in PEM, of the authorities that are trusted.
	CA string
	// Name is asked for (SNI), and has to be in the certificate.
	Name string
	// Certificate and Key are files in PEM with what is shown to a target that asks.
	Certificate, Key string
	// InsecureSkipVerify takes any certificate.
	InsecureSkipVerify bool
}

// Check reports the first file of t that cannot be used, or nil.
func (t *TLS) Check() error {
	if t == nil {
		return nil
	}
	_, err := t.config()
	return err
}

// lookEvery is how often the files are looked at.
const lookEvery = time.Second

// sessions is how many TLS sessions with one target are kept to be resumed.
const sessions = 16

// credentials is the configuration of TLS with one target. It follows its files: a
// file that is replaced counts for the connections to come, and one that is spoiled
// leaves what was read before.
type credentials struct {
	tls        TLS    // immutable
	serverName string // immutable
	protocol   string // to be agreed on; immutable

	mu     sync.Mutex
	looked time.Time // guarded by mu
	marks  [3]mark   // guarded by mu; of the files, when they were read
	config *tls.Config
	err    error // guarded by mu; why there is no config
}

// mark tells a file from the one that replaced it.
type mark struct {
	size    int64
	changed time.Time
}

func newCredentials(o Options) *credentials {
	c := &credentials{tls: *o.TLS, serverName: o.TLS.Name, protocol: "http/1.1"}
	if c.serverName == "" {
		c.serverName = "localhost"
		if host, _, err := net.SplitHostPort(o.Address); err == nil {
			c.serverName = strings.TrimSuffix(host, ".")
		}
	}
	if o.HTTP2 {
		c.protocol = "h2"
	}
	return c
}

// get returns the configuration of the moment.
func (c *credentials) get() (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.looked.IsZero() && now.Sub(c.looked) < lookEvery {
		return c.config, c.err
	}
	marks := c.tls.marks()
	if c.looked.IsZero() || marks != c.marks || c.err != nil {
		c.marks = marks
		c.read()
	}
	c.looked = now
	return c.config, c.err
}

// read reads the files. The caller holds mu.
func (c *credentials) read() {
	config, err := c.tls.config()
	if err != nil {
		if c.config == nil {
			c.err = &Error{text: err.Error(), err: err}
		}
		return
	}
	config.ServerName = c.serverName
	config.NextProtos = []string{c.protocol}
	config.ClientSessionCache = tls.NewLRUClientSessionCache(sessions)
	c.config, c.err = config, nil
}

func (t *TLS) marks() (all [3]mark) {
	for i, path := range [3]string{t.CA, t.Certificate, t.Key} {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil {
			all[i] = mark{info.Size(), info.ModTime()}
		}
	}
	return all
}

func (t *TLS) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.InsecureSkipVerify} //nolint:gosec // only by its name
	if t.CA != "" {
		text, err := readFile(t.CA)
		if err != nil {
			return nil, &FileError{"--target-tls-ca", err}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, &FileError{"--target-tls-ca", fmt.Errorf("%q has no certificate in PEM", t.CA)}
		}
	}
	if t.Certificate == "" {
		return config, nil
	}
	certificate, err := readFile(t.Certificate)
	if err != nil {
		return nil, &FileError{"--target-tls-certificate", err}
	}
	key, err := readFile(t.Key)
	if err != nil {
		return nil, &FileError{"--target-tls-key", err}
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, &FileError{"--target-tls-certificate", fmt.Errorf("%q with its key: %w", t.Certificate, err)}
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// maxFile is more than the largest bundle of authorities has.
const maxFile = 4 << 20

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		return nil, fmt.Errorf("%q is larger than %d bytes", path, maxFile)
	}
	return text, err
}
