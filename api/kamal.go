package api

import (
	"os"
	"path/filepath"
)

// KamalSocketVariable is the environment variable that names kamal-proxy's socket.
const KamalSocketVariable = "KAMAL_PROXY_SOCKET"

// KamalSocket is where the socket is under kamal-proxy's name: $KAMAL_PROXY_SOCKET,
// else kamal-proxy.sock in $XDG_RUNTIME_DIR or in the folder for temporary files.
func KamalSocket(env func(string) string) string {
	if path := env(KamalSocketVariable); path != "" {
		return path
	}
	folder := env("XDG_RUNTIME_DIR")
	if folder == "" {
		folder = os.TempDir()
	}
	return filepath.Join(folder, "kamal-proxy.sock")
}

// KamalFolder is where state and certificates are under kamal-proxy's name:
// .config/kamal-proxy in the home folder, or in that for temporary files.
func KamalFolder(env func(string) string) string {
	home := env("HOME")
	if home == "" {
		home = os.TempDir()
	}
	return filepath.Join(home, ".config", "kamal-proxy")
}
