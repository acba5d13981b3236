package acme

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"upfront/internal/atomicfile"
	"upfront/internal/logfield"
)

// bringIn takes the certificate of h over from a cache of kamal-proxy's, if one has it,
// so that a switch to us orders nothing. The cache stays as it is.
func (c *Certificates) bringIn(ctx context.Context, h *host) {
	for _, cache := range h.caches {
		for _, file := range cacheFiles(cache, h.plan[0].directory, h.name) {
			found, err := readCache(file, h.name, h.plan[0].directory, time.Now())
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = c.keep(ctx, h, found)
			}
			if err != nil {
				c.log.Warn("Certificate of kamal-proxy's cache not taken over",
					logfield.Host(h.name), logfield.Path(file), logfield.Error(err))
				continue
			}
			c.log.Info("Certificate taken over from kamal-proxy's cache", logfield.Host(h.name),
				logfield.Path(file), zap.Time("expires", found.leaf.NotAfter))
			return
		}
	}
}

// cacheFiles are where a certificate of name can be: kamal-proxy has a folder for each
// directory below its cache, and autocert, which it uses, a file for each kind of key.
func cacheFiles(cache, directory, name string) []string {
	if !filepath.IsLocal(name) || strings.ContainsAny(name, "/*") {
		return nil
	}
	folders := []string{scoped(cache, directory)}
	if directory == LetsEncrypt {
		folders = append(folders, scoped(cache, "")) // how kamal-proxy writes its default
	}
	var files []string
	for _, folder := range append(folders, cache) {
		files = append(files, filepath.Join(folder, name), filepath.Join(folder, name+"+rsa"))
	}
	return files
}

// scoped is the folder for a directory below a cache.
func scoped(cache, directory string) string {
	sum := sha256.Sum256([]byte(directory))
	return filepath.Join(cache, hex.EncodeToString(sum[:]))
}

// cached is a certificate of a cache.
type cached struct {
	key, chain []byte // PEM
	leaf       *x509.Certificate
}

// readCache reads a file of autocert's cache: the private key, then the chain.
func readCache(file, name, directory string, now time.Time) (cached, error) {
	text, err := atomicfile.Read(file, maxStored)
	if err != nil {
		return cached{}, err
	}
	block, chain := pem.Decode(text)
	if block == nil || !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return cached{}, errors.New("it does not begin with a private key")
	}
	found := cached{key: pem.EncodeToMemory(block), chain: chain}
	pair, err := tls.X509KeyPair(found.chain, found.key)
	if err != nil {
		return cached{}, err
	}
	found.leaf = pair.Leaf
	if err := found.leaf.VerifyHostname(name); err != nil {
		return cached{}, err
	}
	if !found.leaf.NotAfter.After(now) {
		return cached{}, fmt.Errorf("it expired at %s", found.leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	if directory == LetsEncrypt && strings.HasPrefix(strings.Join(found.leaf.Issuer.Organization, ""), "(STAGING)") {
		return cached{}, errors.New("it is of the staging directory, which no client trusts")
	}
	return found, nil
}

// keep writes what was found into the storage, as if the first authority of h had issued
// it, and makes it serve.
func (c *Certificates) keep(ctx context.Context, h *host, found cached) error {
	// Without the authority's data a renewal does not claim to replace it: that would
	// take the account that ordered it.
	about, err := json.Marshal(certmagic.CertificateResource{
		SANs: []string{h.name}, IssuerData: json.RawMessage(`{"url":""}`),
	})
	if err != nil {
		return err
	}
	keys, from := certmagic.StorageKeys, h.plan[0].key()
	for _, file := range []struct {
		key  string
		text []byte
	}{
		{keys.SitePrivateKey(from, h.name), found.key},
		{keys.SiteCert(from, h.name), found.chain},
		{keys.SiteMeta(from, h.name), about},
	} {
		if err := c.options.Storage.Store(ctx, file.key, file.text); err != nil {
			return err
		}
	}
	return c.load(ctx, h)
}
