//go:build !linux

package proxy

import "time"

// setUserTimeout is Linux's; elsewhere the system's own patience counts.
func setUserTimeout(uintptr, time.Duration) {}
