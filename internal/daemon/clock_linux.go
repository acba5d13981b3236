package daemon

import "golang.org/x/sys/unix"

// monotonicMicroseconds is the clock that MONOTONIC_USEC of sd_notify means.
func monotonicMicroseconds() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0
	}
	return now.Nano() / 1000
}
