package machine

import "syscall"

// EndDescendants kills all that descends from a process, and leaves itself. One that leads a
// group goes with its group, so that what it forks meanwhile goes too.
func EndDescendants(pid int) {
	processes, err := tree(pid)
	if err != nil {
		return
	}
	for _, p := range processes {
		switch p.pid {
		case pid:
		case p.group:
			_ = syscall.Kill(-p.group, syscall.SIGKILL)
		default:
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
}
