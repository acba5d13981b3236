//go:build !linux

package proxy

import "time"

// unacked is not known here: everything counts as acknowledged.
func unacked(uintptr) int { return 0 }

func roundTrip(uintptr) time.Duration { return 0 }
