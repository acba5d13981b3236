package control

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func listen(t *testing.T, path string) *Listener {
	t.Helper()
	ln, err := Listen(SocketOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestListen_isForItsUserOnly(t *testing.T) {
	path := filepath.Join(shortDir(t), "a", "b", "control.sock")
	listen(t, path)
	if got := modeOf(t, path); got != 0o600 {
		t.Errorf("socket: got mode %o, want 600", got)
	}
	if got := modeOf(t, filepath.Dir(path)); got != 0o700 {
		t.Errorf("folder: got mode %o, want 700", got)
	}
}

func TestListen_opensToTheGroup(t *testing.T) {
	path := filepath.Join(shortDir(t), "run", "control.sock")
	gid := os.Getegid() // a group that any user may give a file to
	ln, err := Listen(SocketOptions{Path: path, Group: itoa(gid)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if got := modeOf(t, path); got != 0o660 {
		t.Errorf("socket: got mode %o, want 660", got)
	}
	if got := modeOf(t, filepath.Dir(path)); got != 0o710 {
		t.Errorf("folder: got mode %o, want 710", got)
	}
}

func TestListen_takesThePlaceOfADeadSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "control.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	ln := listen(t, path)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if ln.Path() != path {
		t.Errorf("got path %q, want %q", ln.Path(), path)
	}
}

func TestListen_refuses(t *testing.T) {
	folder := shortDir(t)
	alive := filepath.Join(folder, "alive.sock")
	listen(t, alive)
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(folder, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path, group, want string
	}{
		{"live socket", alive, "", "another proxyd is running on " + alive},
		{"other file", file, "", file + " is in the way and is not a socket"},
		{"folder is a file", filepath.Join(file, "control.sock"), "", "is not a folder"},
		{"open folder", filepath.Join(open, "control.sock"), "", "every user may change folder"},
		{"long path", "/" + strings.Repeat("x", 200), "", "is 201 bytes long"},
		{"empty path", "", "", "set --socket"},
		{"no file", "@upfront", "", "has no file"},
		{"unknown group", filepath.Join(folder, "control.sock"), "no-such-group-here", `group "no-such-group-here"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := Listen(SocketOptions{Path: tt.path, Group: tt.group})
			if err == nil {
				ln.Close()
				t.Fatal("got a listener, want an error")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want it to contain %q", err, tt.want)
			}
		})
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("file in the way: got %q, %v, want it untouched", text, err)
	}
}

func TestListen_onlyOneOfManyGetsThePlace(t *testing.T) {
	path := filepath.Join(shortDir(t), "control.sock")
	var starters sync.WaitGroup
	got := make(chan *Listener, 16)
	for range cap(got) {
		starters.Go(func() {
			if ln, err := Listen(SocketOptions{Path: path}); err == nil {
				got <- ln
			}
		})
	}
	starters.Wait()
	close(got)
	count := 0
	for ln := range got {
		count++
		ln.Close()
	}
	if count != 1 {
		t.Errorf("got %d listeners, want 1", count)
	}
}

func TestListener_Close_removesOnlyItsOwnFile(t *testing.T) {
	path := filepath.Join(shortDir(t), "control.sock")
	first := listen(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := listen(t, path)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("after the first one's Close: %v, want the second one's socket", err)
	}
	for range 2 {
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("after the second one's Close: got %v, want no file", err)
	}
}

func TestAdopt_leavesTheFile(t *testing.T) {
	path := filepath.Join(shortDir(t), "control.sock")
	made, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := Adopt(made, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("got %v, want the file of whoever made it", err)
	}
}
