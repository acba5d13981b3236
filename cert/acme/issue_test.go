package acme

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"upfront/api"
)

// running is Certificates with all that is around them.
type running struct {
	*Certificates
	t       *testing.T
	folder  string
	log     *observer.ObservedLogs
	stop    func()
	options Options
}

// run starts Certificates behind e with a storage in folder.
func run(t *testing.T, e *edge, folder string, o Options) *running {
	t.Helper()
	core, log := observer.New(zapcore.InfoLevel)
	o.Storage, o.Logger = NewFolder(folder), zap.New(core).Named("acme")
	if o.retries == nil {
		o.retries = []time.Duration{50 * time.Millisecond}
	}
	r := &running{Certificates: New(o), t: t, folder: folder, log: log, options: o}
	e.owner <- r.Certificates
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Run(ctx)
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		<-e.owner
		if t.Failed() {
			all := log.All()
			for _, entry := range all[max(len(all)-20, 0):] {
				t.Log(entry.Level, entry.Message, entry.ContextMap())
			}
		}
		e.owner <- r.Certificates // whoever still knocks gets an answer
	})
	t.Cleanup(r.stop)
	return r
}

func (r *running) status(name string) api.AutomaticCertificate {
	for _, s := range r.Status() {
		if s.Host == name {
			return s
		}
	}
	return api.AutomaticCertificate{}
}

func (r *running) has(name string) func() bool {
	return func() bool { return !r.status(name).NotAfter.IsZero() }
}

func TestCertificates_HTTP01(t *testing.T) {
	e := newEdge(t)
	a := newAuthority(t, e, newNames(t), nil)
	o := Options{Authority: a.asOptions(), HTTP: e.http.Addr()}
	issues(t, e, a, o, "http.example.test")
}

func TestCertificates_TLSALPN01(t *testing.T) {
	e := newEdge(t)
	a := newAuthority(t, e, newNames(t), nil)
	o := Options{Authority: a.asOptions(), TLS: e.tls.Addr()}
	issues(t, e, a, o, "alpn.example.test")
}

// issues lets name get a certificate, and another start find it in the storage.
func issues(t *testing.T, e *edge, a *authority, o Options, name string) {
	t.Helper()
	folder := t.TempDir()
	r := run(t, e, folder, o)
	if _, err := e.shake(name, nil); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("handshake before: got %v, want the alert unrecognized name", err)
	}
	r.Publish([]Wanted{{Service: "web", Hosts: []string{name}}})
	until(t, "a certificate", r.has(name))
	leaf, err := e.shake(name, a.issuers())
	must(t, err)
	s := r.status(name)
	if s.Service != "web" || s.Authority != a.directory || s.Problem != "" || !s.NotAfter.Equal(leaf.NotAfter) {
		t.Errorf("status: got %+v", s)
	}
	if !s.NextAttempt.After(time.Now()) || !s.NextAttempt.Before(leaf.NotAfter) {
		t.Errorf("next attempt: got %s, want before %s", s.NextAttempt, leaf.NotAfter)
	}
	wantPrivate(t, folder)
	for _, entry := range r.log.All() {
		if entry.Message != "Certificate obtained" {
			t.Errorf("log: got %q %v, want only what matters", entry.Message, entry.ContextMap())
		}
	}

	r.stop()
	<-e.owner
	a.end()
	again := run(t, e, folder, o)
	again.Publish([]Wanted{{Service: "web", Hosts: []string{name}}})
	same, err := e.shake(name, nil)
	must(t, err)
	if same.SerialNumber.Cmp(leaf.SerialNumber) != 0 {
		t.Error("after a restart: got another certificate, want the stored one, at once")
	}
}

// wantPrivate reports what others could read below folder.
func wantPrivate(t *testing.T, folder string) {
	t.Helper()
	must(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: got mode %o, want %o", path, got, want)
		}
		if !entry.IsDir() && strings.HasSuffix(path, ".bak") {
			t.Errorf("%s: want no copy of a key", path)
		}
		return nil
	}))
}

// renewNow makes the certificate of name be due.
func (r *running) renewNow(name string) {
	r.mu.Lock()
	h := r.hosts[name]
	h.renewAt, h.due = time.Now().Add(-time.Second), time.Time{}
	r.mu.Unlock()
	r.stir()
}

func TestCertificates_renewsUnderTraffic(t *testing.T) {
	const name = "renewed.example.test"
	e := newEdge(t)
	a := newAuthority(t, e, newNames(t), nil)
	r := run(t, e, t.TempDir(), Options{Authority: a.asOptions(), HTTP: e.http.Addr(), TLS: e.tls.Addr()})
	r.Publish([]Wanted{{Service: "web", Hosts: []string{name}}})
	until(t, "a certificate", r.has(name))
	issuers := a.issuers()
	var clients sync.WaitGroup
	var shakes atomic.Int64
	ended := make(chan struct{})
	for range 2 {
		clients.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				if _, err := e.shake(name, issuers); err != nil {
					t.Errorf("handshake: %v", err)
					return
				}
				shakes.Add(1)
			}
		})
	}
	seen := map[string]bool{}
	for range 3 {
		leaf, err := e.shake(name, issuers)
		must(t, err)
		before := shakes.Load()
		seen[leaf.SerialNumber.String()] = true
		r.renewNow(name)
		until(t, "the next certificate, with handshakes meanwhile", func() bool {
			next, err := e.shake(name, issuers)
			must(t, err)
			return !seen[next.SerialNumber.String()] && shakes.Load() > before
		})
	}
	close(ended)
	clients.Wait()
	if got := len(r.cache.AllMatchingCertificates(name)); got != 1 {
		t.Errorf("got %d certificates in memory, want only the newest", got)
	}
	t.Logf("%d handshakes, none failed", shakes.Load())
}

func TestCertificates_authorityDown(t *testing.T) {
	const old, fresh = "old.example.test", "fresh.example.test"
	e := newEdge(t)
	a := newAuthority(t, e, newNames(t), nil)
	r := run(t, e, t.TempDir(), Options{Authority: a.asOptions(), HTTP: e.http.Addr()})
	r.Publish([]Wanted{{Service: "web", Hosts: []string{old}}})
	until(t, "a certificate", r.has(old))
	first, err := e.shake(old, a.issuers())
	must(t, err)
	a.end()

	began := time.Now()
	r.Publish([]Wanted{{Service: "web", Hosts: []string{old}}, {Service: "new", Hosts: []string{fresh}}})
	if took := time.Since(began); took > patience/2 {
		t.Errorf("a deploy waited %s for an authority that is down", took)
	}
	r.renewNow(old)
	until(t, "both say why", func() bool {
		return strings.Contains(r.status(old).Problem, "refused") && strings.Contains(r.status(fresh).Problem, "refused")
	})
	if s := r.status(fresh); s.Failures == 0 || s.ProblemAt.IsZero() || !s.Trying && s.NextAttempt.IsZero() {
		t.Errorf("status: got %+v", s)
	}
	same, err := e.shake(old, nil)
	must(t, err)
	if same.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Error("got another certificate, want the one that there is")
	}
	if _, err := e.shake(fresh, nil); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("without a certificate: got %v, want the alert unrecognized name", err)
	}

	a.begin() // it has forgotten our account meanwhile
	issuers := a.issuers()
	for _, name := range []string{old, fresh} {
		until(t, name+" has one of its own accord", func() bool {
			_, err := e.shake(name, issuers)
			return err == nil
		})
	}
	until(t, "the problem is over", func() bool { return r.status(old).Problem == "" && r.status(fresh).Problem == "" })
}

func TestCertificates_externalAccount(t *testing.T) {
	const id, key, other = "kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W", "b10lLJs8l1GPIzsLP0s6pMt8O0XVGnfTaCeROxQM0BIt2XrJMDHJZBM5NuQmQJQH"
	const name = "bound.example.test"
	e := newEdge(t)
	a := newAuthority(t, e, newNames(t), map[string]string{id: key})
	for _, test := range []struct {
		what, id, key string
		want          string // in the problem; "" when it works
	}{
		{"none", "", "", "external"},
		{"a wrong key", id, other, `external account "kid-1"`},
		{"an unknown id", "kid-2", key, `external account "kid-2"`},
		{"the right one", id, key, ""},
	} {
		t.Run(test.what, func(t *testing.T) {
			by := a.asOptions()
			by.KeyID, by.MACKey = test.id, test.key
			r := run(t, e, t.TempDir(), Options{Authority: by, HTTP: e.http.Addr()})
			defer func() { r.stop(); <-e.owner }()
			r.Publish([]Wanted{{Service: "web", Hosts: []string{name}}})
			if test.want == "" {
				until(t, "a certificate", r.has(name))
				return
			}
			until(t, "a problem", func() bool { return r.status(name).Problem != "" })
			got := r.status(name).Problem
			if !strings.Contains(strings.ToLower(got), test.want) || !strings.Contains(got, a.directory) {
				t.Errorf("problem: got %q, want %q and the directory in it", got, test.want)
			}
		})
	}
}

func TestCertificates_fallback(t *testing.T) {
	const name = "second.example.test"
	e := newEdge(t)
	a := newAuthority(t, e, newNames(t), nil)
	second := a.asOptions()
	nobody := "https://" + at(freePort(t)) + "/dir"
	r := run(t, e, t.TempDir(), Options{Authority: Authority{Directory: nobody}, Fallback: &second, HTTP: e.http.Addr()})
	r.Publish([]Wanted{{Service: "web", Hosts: []string{name}}})
	until(t, "a certificate", r.has(name))
	if s := r.status(name); s.Authority != a.directory || s.Problem != "" {
		t.Errorf("status: got %+v", s)
	}
	_, err := e.shake(name, a.issuers())
	must(t, err)
}

// A move to another authority orders anew, and serves what there is until then.
func TestCertificates_movesToAnotherAuthority(t *testing.T) {
	const name = "moved.example.test"
	e := newEdge(t)
	names := newNames(t)
	a, b := newAuthority(t, e, names, nil), newAuthority(t, e, names, nil)
	by := a.asOptions()
	by.Roots.AppendCertsFromPEM(readFile(t, filepath.Join(filepath.Dir(b.config), "self.crt")))
	r := run(t, e, t.TempDir(), Options{Authority: by, HTTP: e.http.Addr()})
	r.Publish([]Wanted{{Service: "web", Hosts: []string{name}}})
	until(t, "a certificate", r.has(name))
	r.Publish([]Wanted{{Service: "web", Hosts: []string{name}, Directory: b.directory}})
	issuers := b.issuers()
	until(t, "one of the other authority", func() bool {
		_, err := e.shake(name, nil)
		must(t, err)
		_, err = e.shake(name, issuers)
		return err == nil
	})
	if got := r.status(name).Authority; got != b.directory {
		t.Errorf("authority: got %s, want %s", got, b.directory)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return text
}
