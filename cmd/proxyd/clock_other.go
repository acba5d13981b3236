//go:build !linux

package main

// monotonicMicroseconds is only asked for where systemd runs.
func monotonicMicroseconds() int64 { return 0 }
