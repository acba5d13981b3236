package machine

import "syscall"

// EndDescendants kills all that descends from a process, and leaves itself.
func EndDescendants(pid int) {
	processes, err := tree(pid)
	if err != nil {
		return
	}
	for _, p := range processes {
		if p.pid != pid {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
}
