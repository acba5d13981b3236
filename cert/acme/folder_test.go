package acme

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestFolder_keepsWhatIsStored(t *testing.T) {
	ctx := context.Background()
	root := filepath.Join(t.TempDir(), "deep", "certificates")
	f := NewFolder(root)
	if _, err := f.Load(ctx, "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("load what is not there: got %v", err)
	}
	if _, err := f.List(ctx, "a", false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("list what is not there: got %v", err)
	}
	must(t, f.Store(ctx, "a/b/one", []byte("1")))
	must(t, f.Store(ctx, "a/b/one", []byte("2")))
	must(t, f.Store(ctx, "a/two", []byte("3")))
	if got, err := f.Load(ctx, "a/b/one"); err != nil || string(got) != "2" {
		t.Errorf("load: got %q, %v", got, err)
	}
	for _, c := range []struct {
		deep bool
		want []string
	}{{false, []string{"a/b", "a/two"}}, {true, []string{"a/b", "a/b/one", "a/two"}}} {
		if got, err := f.List(ctx, "a", c.deep); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("list: got %v, %v, want %v", got, err, c.want)
		}
	}
	if info, err := f.Stat(ctx, "a/two"); err != nil || info.Size != 1 || !info.IsTerminal {
		t.Errorf("stat: got %+v, %v", info, err)
	}
	wantPrivate(t, root)
	must(t, f.Delete(ctx, "a/b"))
	must(t, f.Delete(ctx, "a/b"))
	if f.Exists(ctx, "a/b/one") || !f.Exists(ctx, "a/two") {
		t.Error("delete: want what is below gone, and nothing else")
	}
}

func TestFolder_keysNeverLeadOutOfIt(t *testing.T) {
	f := NewFolder("/certificates")
	for key, want := range map[string]string{
		"../../etc/passwd": "/certificates/etc/passwd", "/a/../../b": "/certificates/b", "a": "/certificates/a",
	} {
		if got := f.file(key); got != want {
			t.Errorf("%q: got %s, want %s", key, got, want)
		}
	}
}

// Two of them are like two processes.
func TestFolder_Lock_isHeldByOne(t *testing.T) {
	ctx, root := context.Background(), t.TempDir()
	a, b := NewFolder(root), NewFolder(root)
	must(t, a.Lock(ctx, "x"))
	if ok, err := b.TryLock(ctx, "x"); ok || err != nil {
		t.Errorf("a lock that is held: got %v, %v", ok, err)
	}
	ended, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if err := b.Lock(ended, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait for it: got %v", err)
	}
	must(t, b.Lock(ctx, "y"))
	must(t, b.Unlock(ctx, "y"))
	must(t, a.Unlock(ctx, "x"))
	if err := a.Unlock(ctx, "x"); err == nil {
		t.Error("unlock twice: want an error")
	}
	var inside, count atomic.Int64
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			f := NewFolder(root)
			if err := f.Lock(ctx, "x"); err != nil {
				t.Error(err)
				return
			}
			if inside.Add(1) != 1 {
				t.Error("two hold it at once")
			}
			count.Add(1)
			inside.Add(-1)
			if err := f.Unlock(ctx, "x"); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if got := count.Load(); got != 8 {
		t.Errorf("got %d, want 8", got)
	}
	if left, err := os.ReadDir(filepath.Join(root, "locks")); err != nil || len(left) != 0 {
		t.Errorf("got %v, %v, want no lock left behind", left, err)
	}
}
