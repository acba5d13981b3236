package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := Write(path, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s: got %q, %v, want %q", filepath.Base(path), got, err, want)
	}
}

func TestWrite_keepsThePreviousContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	mustWrite(t, path, "one")
	if _, err := os.Lstat(path + BackupSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("backup of nothing: got %v", err)
	}
	mustWrite(t, path, "two")
	mustWrite(t, path, "three")
	wantFile(t, path, "three")
	wantFile(t, path+BackupSuffix, "two")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: got %v, %v, want 0600", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 {
		t.Errorf("folder: got %v, %v, want the file and its backup", entries, err)
	}
}

func TestWrite_afterACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	mustWrite(t, path, "one")
	for _, left := range []string{path + ".tmp", path + ".bak.tmp"} {
		if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustWrite(t, path, "two")
	wantFile(t, path, "two")
	wantFile(t, path+BackupSuffix, "one")
}

func TestWrite_doesNotFollowALink(t *testing.T) {
	folder := t.TempDir()
	path, other := filepath.Join(folder, "state"), filepath.Join(folder, "other")
	if err := os.WriteFile(other, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, path+".tmp"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, path, "one")
	wantFile(t, other, "mine")
	wantFile(t, path, "one")
}

func TestWrite_failingLeavesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	mustWrite(t, path, "one")
	if err := os.MkdirAll(path+".tmp/in-the-way", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("two")); err == nil {
		t.Error("got nil, want an error")
	}
	wantFile(t, path, "one")
}

func TestWrite_folderThatCannotBeOpened(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can open every folder")
	}
	path := filepath.Join(t.TempDir(), "state")
	mustWrite(t, path, "one")
	// As when no descriptor is left: files can be made, the folder not be synced.
	if err := os.Chmod(filepath.Dir(path), 0o300); err != nil {
		t.Fatal(err)
	}
	err := Write(path, []byte("two"))
	if chmodErr := os.Chmod(filepath.Dir(path), 0o700); chmodErr != nil {
		t.Fatal(chmodErr)
	}
	if err == nil {
		t.Error("got nil, want an error")
	}
	wantFile(t, path, "one")
}

func TestAside_namesWhatSetAsideKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	mustWrite(t, path, "one")
	if kept, ok := Aside(path); ok {
		t.Errorf("before: got %s, want none", kept)
	}
	want, err := SetAside(path)
	if kept, ok := Aside(path); err != nil || !ok || kept != want {
		t.Errorf("got %s, %t, %v, want %s", kept, ok, err, want)
	}
}

func TestRead_limit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	mustWrite(t, path, "12345")
	if data, err := Read(path, 5); err != nil || string(data) != "12345" {
		t.Errorf("got %q, %v", data, err)
	}
	if _, err := Read(path, 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want %v", err, ErrTooLarge)
	}
	if _, err := Read(path+"-not", 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
}

func TestSetAside_keepsAFew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	seen := map[string]bool{}
	for range maxBad {
		mustWrite(t, path, "bad")
		kept, err := SetAside(path)
		if err != nil {
			t.Fatal(err)
		}
		if seen[kept] {
			t.Fatalf("%s was overwritten", kept)
		}
		seen[kept] = true
		wantFile(t, kept, "bad")
	}
	mustWrite(t, path, "bad")
	if _, err := SetAside(path); err == nil {
		t.Error("got nil, want an error that says where to look")
	}
	wantFile(t, path, "bad")
}

func TestKeepCopy_leavesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	mustWrite(t, path, "odd")
	kept, err := KeepCopy(path)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, path, "new")
	wantFile(t, kept, "odd")
	wantFile(t, path, "new")
}

func TestAcquire_oneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	first, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(path); !errors.Is(err, ErrLocked) {
		t.Errorf("second: got %v, want %v", err, ErrLocked)
	}
	if err := errors.Join(first.Release(), first.Release()); err != nil {
		t.Errorf("release: %v", err)
	}
	third, err := Acquire(path)
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	if err := third.Release(); err != nil {
		t.Error(err)
	}
}
