package cert

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestStore_GetCertificate(t *testing.T) {
	f := newFolder(t)
	s := New(Options{})
	if got := chosen(t, s, "a.test"); got != "" {
		t.Errorf("an empty store has %q", got)
	}
	s.Publish([]Set{
		{Hosts: []string{"a.test", "*.w.test"}, Pairs: []*Pair{f.open("1", "first", "a.test"), f.open("2", "second", "*.w.test")}},
		{Hosts: []string{"odd.test"}, Pairs: []*Pair{f.open("3", "third", "other.test")}},
		{Pairs: []*Pair{f.open("4", "fourth", "*.any.test", "x.w.test")}},
	})
	for name, want := range map[string]string{
		"a.test": "first", "A.TEST.": "first", "b.w.test": "second", "x.w.test": "second",
		"c.b.w.test": "", "w.test": "", "odd.test": "third", "other.test": "third", "y.any.test": "fourth",
		"any.test": "", "nowhere.test": "", "": "first",
	} {
		if got := chosen(t, s, name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	s.SetDefaults([]*Pair{f.open("5", "default")})
	for name, want := range map[string]string{"nowhere.test": "default", "": "default", "a.test": "first"} {
		if got := chosen(t, s, name); got != want {
			t.Errorf("with a default, %q: got %q, want %q", name, got, want)
		}
	}
	if !s.Covers("whatever.test") || New(Options{}).Covers("a.test") {
		t.Error("a default covers every host, and nothing covers none")
	}
}

func TestStore_asksNextBeforeTheDefault(t *testing.T) {
	f := newFolder(t)
	next := f.open("n", "next").state.Load().live
	s := New(Options{Next: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName == "auto.test" {
			return next, nil
		}
		return nil, nil //nolint:nilnil // It has none.
	}})
	s.SetDefaults([]*Pair{f.open("d", "default")})
	s.Publish([]Set{{Hosts: []string{"a.test"}, Pairs: []*Pair{f.open("a", "a.test")}}})
	for name, want := range map[string]string{"auto.test": "next", "a.test": "a.test", "b.test": "default"} {
		if got := chosen(t, s, name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestStore_choosesWhatTheClientCanUse(t *testing.T) {
	f := newFolder(t)
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Open(f.putKey("rsa", old, "rsa", "a.test"))
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{})
	s.Publish([]Set{{Hosts: []string{"a.test"}, Pairs: []*Pair{f.open("ec", "ec", "a.test"), second}}})
	if got := chosen(t, s, "a.test"); got != "ec" {
		t.Errorf("got %q, want the first", got)
	}
	limited := hello("a.test")
	limited.SignatureSchemes = []tls.SignatureScheme{tls.PSSWithSHA256}
	if c, _ := s.GetCertificate(limited); c.Leaf.Subject.CommonName != "rsa" {
		t.Errorf("got %q, want what the client can verify", c.Leaf.Subject.CommonName)
	}
}

// watching runs a store and keeps what it tells.
type watching struct {
	*Store
	mu     sync.Mutex
	events []Event // guarded by mu
}

func watch(t *testing.T) *watching {
	t.Helper()
	w := &watching{}
	w.Store = New(Options{Interval: 5 * time.Millisecond, OnEvent: func(e Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = w.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return w
}

// failure waits for an event with an error.
func (w *watching) failure(t *testing.T) (found Event) {
	t.Helper()
	eventually(t, "a failure is told", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, e := range w.events {
			if e.Err != nil {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

func TestStore_makesReplacedFilesLive(t *testing.T) {
	f := newFolder(t)
	for _, c := range []struct {
		name    string
		replace func(files Files)
	}{
		{"renamed", func(Files) { f.put("r", "new", "a.test") }},
		{"written in place", func(files Files) {
			certificate, key := selfSigned(t, newKey(t), time.Now().Add(time.Hour), "new", "a.test")
			for path, text := range map[string][]byte{files.Certificate: certificate, files.Key: key} {
				if err := os.WriteFile(path, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"gone for a while", func(files Files) {
			_ = os.Remove(files.Certificate)
			f.put("r", "new", "a.test")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := watch(t)
			p := f.open("r", "old", "a.test")
			w.Publish([]Set{{Hosts: []string{"a.test"}, Pairs: []*Pair{p}}})
			if got := chosen(t, w.Store, "a.test"); got != "old" {
				t.Fatalf("got %q", got)
			}
			c.replace(p.files)
			eventually(t, "the new one is served", func() bool { return chosen(t, w.Store, "a.test") == "new" })
			eventually(t, "all is well", func() bool { return p.Info(time.Now()).Problem == "" })
		})
	}
}

// As Kubernetes does: the files are below a link that is replaced.
func TestStore_followsLinks(t *testing.T) {
	one, two := newFolder(t), newFolder(t)
	one.put("tls", "old", "a.test")
	two.put("tls", "new", "a.test")
	dir := t.TempDir()
	link := filepath.Join(dir, "..data")
	if err := os.Symlink(one.path, link); err != nil {
		t.Fatal(err)
	}
	p, err := Open(Files{filepath.Join(link, "tls.pem"), filepath.Join(link, "tls.key")})
	if err != nil {
		t.Fatal(err)
	}
	w := watch(t)
	w.Publish([]Set{{Pairs: []*Pair{p}}})
	if err := os.Symlink(two.path, link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new one is served", func() bool { return chosen(t, w.Store, "a.test") == "new" })
}

func TestStore_keepsTheOldOneWhenTheNewIsBad(t *testing.T) {
	f := newFolder(t)
	w := watch(t)
	p := f.open("r", "old", "a.test")
	w.Publish([]Set{{Hosts: []string{"a.test"}, Pairs: []*Pair{p}}})
	_, key := selfSigned(t, newKey(t), time.Now().Add(time.Hour), "x")
	f.write(p.files.Key, key) // of another certificate
	event := w.failure(t)
	if event.Path != p.files.Certificate || !strings.Contains(event.Err.Error(), p.files.Key) {
		t.Errorf("got %+v, want both files named", event)
	}
	if got := chosen(t, w.Store, "a.test"); got != "old" {
		t.Errorf("got %q, want the old one", got)
	}
	if info := p.Info(time.Now()); !strings.Contains(info.Problem, "is kept") || len(info.Names) != 2 {
		t.Errorf("got %+v", info)
	}
	f.put("r", "new", "a.test")
	eventually(t, "the repaired one is served", func() bool { return chosen(t, w.Store, "a.test") == "new" })
}

// A certificate that was not there at a start is live once it is.
func TestStore_findsWhatWasMissing(t *testing.T) {
	f := newFolder(t)
	w := watch(t)
	p, err := Open(Files{filepath.Join(f.path, "late.pem"), filepath.Join(f.path, "late.key")})
	if err == nil || p.Info(time.Now()).Problem == "" || p.Covers("a.test") {
		t.Fatalf("a missing file is good: %v", err)
	}
	w.Publish([]Set{{Hosts: []string{"a.test"}, Pairs: []*Pair{p}}})
	f.put("late", "late", "a.test")
	eventually(t, "it is served", func() bool { return chosen(t, w.Store, "a.test") == "late" })
}

func TestOpen_refusesWhatIsNoPair(t *testing.T) {
	f := newFolder(t)
	good := f.put("good", "a.test")
	other := f.put("other", "a.test")
	empty, large := filepath.Join(f.path, "empty"), filepath.Join(f.path, "large")
	f.write(empty, nil)
	f.write(large, bytes.Repeat([]byte{'x'}, maxFile+1))
	for name, files := range map[string]Files{
		"of two pairs": {good.Certificate, other.Key}, "an empty one": {empty, good.Key}, "a large one": {large, good.Key},
		"a folder": {f.path, good.Key}, "a missing key": {good.Certificate, good.Key + "x"}, "turned round": {good.Key, good.Certificate},
	} {
		if _, err := Open(files); err == nil {
			t.Errorf("%s is good", name)
		}
	}
}

func TestPair_Info_saysWhenItExpired(t *testing.T) {
	p := newFolder(t).open("x", "a.test")
	if got := p.Info(time.Now()).Problem; got != "" {
		t.Errorf("got %q", got)
	}
	if got := p.Info(time.Now().Add(2 * time.Hour)).Problem; !strings.Contains(got, "expired at") {
		t.Errorf("got %q", got)
	}
}

func TestAuthority(t *testing.T) {
	f := newFolder(t)
	path := filepath.Join(f.path, "ca.pem")
	a, err := OpenAuthority(path)
	if err == nil || a.Problem() == "" {
		t.Error("a missing bundle is good")
	}
	if roots, _ := a.Roots(); roots == nil || len(roots.Subjects()) != 0 { //nolint:staticcheck // Only to count.
		t.Error("a missing bundle lets somebody in")
	}
	w := watch(t)
	w.Publish([]Set{{ClientCA: a}})
	certificate, key := selfSigned(t, newKey(t), time.Now().Add(time.Hour), "ca")
	f.write(path, certificate)
	eventually(t, "the bundle is live", func() bool { _, id := a.Roots(); return id != "none" })
	_, before := a.Roots()
	f.write(path, key) // no certificate
	w.failure(t)
	if _, id := a.Roots(); id != before || a.Problem() == "" {
		t.Errorf("a bad bundle replaced a good one: %s", a.Problem())
	}
	block, _ := pem.Decode(certificate)
	if block == nil {
		t.Fatal("BUG: no PEM")
	}
}

func TestStore_NextExpiry(t *testing.T) {
	f := newFolder(t)
	s := New(Options{})
	if _, n := s.NextExpiry(); n != 0 {
		t.Errorf("got %d certificates", n)
	}
	certificate, key := selfSigned(t, newKey(t), time.Now().Add(time.Minute), "soon")
	files := Files{filepath.Join(f.path, "s.pem"), filepath.Join(f.path, "s.key")}
	f.write(files.Certificate, certificate)
	f.write(files.Key, key)
	soon, err := Open(files)
	if err != nil {
		t.Fatal(err)
	}
	s.SetDefaults([]*Pair{f.open("l", "later")})
	s.Publish([]Set{{Pairs: []*Pair{soon}}})
	if at, n := s.NextExpiry(); n != 2 || time.Until(at) > 2*time.Minute {
		t.Errorf("got %d, first in %s", n, time.Until(at))
	}
}

// crowd is a store with n certificates, each with a host of its own.
func crowd(b testing.TB, n int) *Store {
	b.Helper()
	shared := newFolder(b).open("one", "one.test").state.Load()
	s := New(Options{})
	sets := make([]Set, n)
	for i := range sets {
		p := &Pair{}
		p.state.Store(shared)
		sets[i] = Set{Hosts: []string{"host" + itoa(i) + ".test"}, Pairs: []*Pair{p}}
	}
	s.Publish(sets)
	return s
}

func BenchmarkStore_GetCertificate(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(itoa(n), func(b *testing.B) {
			s, hello := crowd(b, n), hello("host"+itoa(n/2)+".test")
			b.ReportAllocs()
			for b.Loop() {
				if c, _ := s.GetCertificate(hello); c == nil {
					b.Fatal("none")
				}
			}
		})
	}
}

func TestStore_choosesAmongMany(t *testing.T) {
	s := crowd(t, 10_000)
	if got := chosen(t, s, "host7777.test"); got != "one.test" {
		t.Errorf("got %q", got)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = s.GetCertificate(hello7) }); n != 0 {
		t.Errorf("a choice costs %v allocations", n)
	}
}

var hello7 = hello("host7.test")
