package daemon

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// writable reports whether we may make files in a folder that is there.
func writable(folder string) bool {
	return unix.Access(folder, unix.W_OK|unix.X_OK) == nil
}

// makeFolder makes the folder of a file that we write.
func makeFolder(file, flag string) error {
	folder := filepath.Dir(file)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make folder %s: %w: choose another place with %s", folder, err, flag)
	}
	return nil
}
