package daemon

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstPassed is the first descriptor that a service manager passes, as
// sd_listen_fds(3) says.
const firstPassed = 3

// passed are the sockets that a service manager bound for us.
type passed struct {
	http    []net.Listener
	https   []net.Listener    // called "https"
	control *net.UnixListener // nil when there is none
}

// passedListeners takes the sockets of LISTEN_FDS and removes the variables, so
// that no child takes them for its own. A unix socket called "control" is the
// control socket; a TCP socket called "https" takes clients over TLS, and every other
// plain ones, whatever its name.
func passedListeners(s system) (passed, error) {
	pid, count, fdNames := s.getenv("LISTEN_PID"), s.getenv("LISTEN_FDS"), s.getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = s.unsetenv(name) // the names are right, and nothing else can fail
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return passed{}, nil // meant for another process
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 1024 {
		return passed{}, fmt.Errorf("read LISTEN_FDS=%q: not a number of sockets: start proxyd from its .socket unit", count)
	}
	given := strings.Split(fdNames, ":")
	var all passed
	for i := range n {
		name := ""
		if i < len(given) {
			name = given[i]
		}
		if err := all.take(firstPassed+i, name); err != nil {
			all.close()
			return passed{}, err
		}
	}
	return all, nil
}

func (p *passed) take(fd int, name string) error {
	syscall.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), name)
	if file == nil {
		return fmt.Errorf("take socket %d of LISTEN_FDS: not an open descriptor", fd)
	}
	defer func() { _ = file.Close() }() // FileListener has its own copy
	ln, err := net.FileListener(file)
	if err != nil {
		return fmt.Errorf("take socket %d (%q) of LISTEN_FDS: %w", fd, name, err)
	}
	switch ln := ln.(type) {
	case *net.UnixListener:
		if name != "control" || p.control != nil {
			_ = ln.Close()
			return fmt.Errorf("take socket %d (%q) of LISTEN_FDS: a unix socket must be the only one called control: set FileDescriptorName=control", fd, name)
		}
		p.control = ln
	default:
		if name == "https" {
			p.https = append(p.https, ln)
			return nil
		}
		p.http = append(p.http, ln)
	}
	return nil
}

func (p *passed) close() {
	closeAll(p.http)
	closeAll(p.https)
	if p.control != nil {
		_ = p.control.Close()
	}
}
