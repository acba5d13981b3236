package acme

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/crypto/acme/autocert"
)

// putCached writes a certificate for name into folder as kamal-proxy does.
func putCached(t *testing.T, folder, name string, life time.Duration) (text []byte) {
	t.Helper()
	chain, key, _ := selfSigned(t, t.TempDir(), life, name)
	text = append(readFile(t, key), readFile(t, chain)...)
	must(t, autocert.DirCache(folder).Put(context.Background(), name, text))
	return text
}

func ofDirectory(cache, directory string) string {
	sum := sha256.Sum256([]byte(directory))
	return filepath.Join(cache, hex.EncodeToString(sum[:]))
}

// A switch from kamal-proxy orders nothing, and serves at once.
func TestCertificates_takeOverKamalProxysCache(t *testing.T) {
	const name, rsa, late, foreign, torn = "a.example.com", "rsa.example.com", "late.example.com", "foreign.example.com", "torn.example.com"
	const usual = "usual.example.com"
	cache := t.TempDir()
	own := ofDirectory(cache, LetsEncrypt)
	putCached(t, own, name, 80*24*time.Hour)
	putCached(t, own, rsa, 80*24*time.Hour)
	must(t, os.Rename(filepath.Join(own, rsa), filepath.Join(own, rsa+"+rsa")))
	putCached(t, ofDirectory(cache, ""), usual, 80*24*time.Hour) // where a deploy without --tls-staging has it
	putCached(t, own, late, -time.Minute)
	putCached(t, ofDirectory(cache, LetsEncryptStaging), foreign, time.Hour)
	must(t, os.WriteFile(filepath.Join(own, torn), []byte("-----BEGIN"), 0o600))
	before := readFile(t, filepath.Join(own, name))

	e := newEdge(t)
	folder := t.TempDir()
	r := run(t, e, folder, Options{Caches: []string{cache}}) // without a listener nothing can be ordered
	r.Publish([]Wanted{{Service: "web", Hosts: []string{name, rsa, usual, late, foreign, torn}}})
	for _, host := range []string{name, rsa, usual} {
		if _, err := e.shake(host, nil); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		if s := r.status(host); s.Problem != "" || !s.NextAttempt.After(time.Now()) || !s.NextAttempt.Before(s.NotAfter) {
			t.Errorf("%s: got %+v, want a renewal in its time", host, s)
		}
	}
	for _, host := range []string{late, foreign, torn} {
		if _, err := e.shake(host, nil); err == nil {
			t.Errorf("%s: want no certificate", host)
		}
		until(t, host+" says why", func() bool { return strings.Contains(r.status(host).Problem, "no challenge") })
	}
	if string(readFile(t, filepath.Join(own, name))) != string(before) {
		t.Error("the cache was changed")
	}
	wantPrivate(t, folder)

	// From now on it is ours: the cache is not needed any more.
	must(t, os.RemoveAll(cache))
	r.stop()
	<-e.owner
	again := run(t, e, folder, Options{})
	again.Publish([]Wanted{{Service: "web", Hosts: []string{name}}})
	if _, err := e.shake(name, nil); err != nil {
		t.Errorf("without the cache: %v", err)
	}
}

// A renewal of a certificate that was taken over goes to the authority.
func TestCertificates_renewsWhatWasTakenOver(t *testing.T) {
	const name = "taken.example.test"
	e := newEdge(t)
	a := newAuthority(t, e, newNames(t), nil)
	cache := t.TempDir()
	putCached(t, ofDirectory(cache, a.directory), name, time.Minute) // a third of an hour is over
	r := run(t, e, t.TempDir(), Options{Authority: a.asOptions(), HTTP: e.http.Addr()})
	r.Publish([]Wanted{{Service: "web", Hosts: []string{name}, Cache: cache}})
	issuers := a.issuers()
	until(t, "it is renewed, and served meanwhile", func() bool {
		_, err := e.shake(name, nil)
		must(t, err)
		_, err = e.shake(name, issuers)
		return err == nil
	})
}

// One name whose files are damaged gets a new certificate; the others have theirs.
func TestCertificates_damagedFilesCostOneName(t *testing.T) {
	const good, bad, closed = "good.example.test", "bad.example.test", "closed.example.test"
	e := newEdge(t)
	a := newAuthority(t, e, newNames(t), nil)
	folder := t.TempDir()
	o := Options{Authority: a.asOptions(), HTTP: e.http.Addr()}
	want := []Wanted{{Service: "web", Hosts: []string{good, bad, closed}}}
	r := run(t, e, folder, o)
	r.Publish(want)
	for _, name := range want[0].Hosts {
		until(t, "a certificate for "+name, r.has(name))
	}
	r.stop()
	<-e.owner
	store, key := NewFolder(folder), r.main[0].key()
	must(t, os.WriteFile(store.file(certmagic.StorageKeys.SitePrivateKey(key, bad)), []byte("torn"), 0o600))
	unreadable := store.file(certmagic.StorageKeys.SiteCert(key, closed))
	must(t, os.Remove(unreadable))
	must(t, os.Mkdir(unreadable, 0o700)) // as root may read everything, a folder

	again := run(t, e, folder, o)
	again.Publish(want)
	issuers := a.issuers()
	if _, err := e.shake(good, issuers); err != nil {
		t.Errorf("the good one, at once: %v", err)
	}
	until(t, "the damaged one is new", func() bool {
		_, err := e.shake(bad, issuers)
		return err == nil
	})
	until(t, "the unreadable one says so", func() bool { return strings.Contains(again.status(closed).Problem, "load certificate") })
}
