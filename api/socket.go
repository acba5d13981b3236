package api

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// SocketVariable is the environment variable that names the control socket.
const SocketVariable = "UPFRONT_SOCKET"

// SystemSocket is where a proxyd of the whole machine has its control socket:
// /run/upfront/control.sock, or below /var/run on macOS, which has no /run.
func SystemSocket() string {
	if runtime.GOOS == "darwin" {
		return "/var/run/upfront/control.sock"
	}
	return "/run/upfront/control.sock"
}

// DefaultSocket is the path of the control socket when none was given: proxyd
// listens there and the client connects there. The first that applies:
//
//  1. $UPFRONT_SOCKET, when it is set and not empty.
//  2. SystemSocket, when the caller is root, or the socket is there and can be
//     seen, or its folder is there and the caller may create files in it (as
//     in a container image or under systemd's RuntimeDirectory).
//  3. $XDG_RUNTIME_DIR/upfront/control.sock, when the variable is set.
//  4. upfront-UID/control.sock in the folder for temporary files.
func DefaultSocket() string {
	return socketRules{
		env:     os.Getenv,
		system:  SystemSocket(),
		temp:    os.TempDir(),
		uid:     os.Geteuid(),
		exists:  func(path string) bool { _, err := os.Lstat(path); return err == nil },
		canMake: func(folder string) bool { return syscall.Access(folder, accessWrite|accessSearch) == nil },
	}.choose()
}

// The bits of access(2), which package syscall does not name everywhere.
const (
	accessSearch = 0x1
	accessWrite  = 0x2
)

// socketRules is what DefaultSocket looks at, so that a test can pretend to be
// any user on any machine.
type socketRules struct {
	env     func(string) string
	system  string
	temp    string
	uid     int
	exists  func(path string) bool
	canMake func(folder string) bool
}

func (r socketRules) choose() string {
	if path := r.env(SocketVariable); path != "" {
		return path
	}
	if r.uid == 0 || r.exists(r.system) || r.canMake(filepath.Dir(r.system)) {
		return r.system
	}
	if folder := r.env("XDG_RUNTIME_DIR"); folder != "" {
		return filepath.Join(folder, "upfront", "control.sock")
	}
	return filepath.Join(r.temp, "upfront-"+strconv.Itoa(r.uid), "control.sock")
}
