//go:build !linux

package cert

import (
	"os"
	"time"
)

// fileSign is what a file looks like from outside.
type fileSign struct {
	size    int64
	written time.Time
}

func signOfFile(path string) fileSign {
	info, err := os.Stat(path)
	if err != nil {
		return fileSign{}
	}
	return fileSign{size: info.Size(), written: info.ModTime()}
}
