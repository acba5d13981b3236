//go:build !linux

package daemon

// monotonicMicroseconds is only asked for where systemd runs.
func monotonicMicroseconds() int64 { return 0 }
