package machine

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// cpuOf is the time that the kernel has charged to all threads of a process, those
// that have ended included, in nanoseconds and not in ticks. The clock of another
// process is its id, inverted, over the kind of clock (clock_getcpuclockid(3)).
func cpuOf(pid int) (time.Duration, error) {
	const wholeProcess = 2
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|wholeProcess), &at); err != nil {
		return 0, err
	}
	return time.Duration(at.Nano()), nil
}

// ownCPU is cpuOf this process.
func ownCPU() (time.Duration, error) { return cpuOf(os.Getpid()) }

// RaiseDescriptors raises the limit of open descriptors of this process and of
// those that it starts to want, or as far as it may, and returns it.
func RaiseDescriptors(want int) (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	if limit.Cur >= uint64(want) {
		return int(limit.Cur), nil
	}
	raised := unix.Rlimit{Cur: uint64(want), Max: max(limit.Max, uint64(want))}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
		return want, nil
	}
	raised = unix.Rlimit{Cur: min(limit.Max, uint64(want)), Max: limit.Max}
	return int(raised.Cur), unix.Setrlimit(unix.RLIMIT_NOFILE, &raised)
}
