//go:build !linux

package proxy

import "time"

// unacked is not known here: everything counts as acknowledged.
func unacked(uintptr) int { return 0 }

// taken is not known either: what could be written counts.
func taken(uintptr) uint64 { return 0 }

func roundTrip(uintptr) time.Duration { return 0 }
