//go:build linux || darwin

package proxy

import "syscall"

// descriptorLimit is how many the process may have open; 0 is not known.
func descriptorLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return limit.Cur
}
