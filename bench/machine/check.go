package machine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// ErrDocker says that a Docker daemon runs.
var ErrDocker = errors.New("a Docker daemon is up: its NAT rules turn on connection tracking, " +
	"which taxes every packet: stop it (systemctl stop docker docker.socket)")

// Check refuses a machine that cannot give fair figures: no Linux, one core, a
// Docker daemon, or a port that another process has. The error wraps
// ErrDocker when that is the only reason.
func Check(ports ...int) error {
	if runtime.GOOS != "linux" || Cores() < 2 {
		return errors.New("the bench needs Linux and two cores")
	}
	for _, port := range ports {
		if err := checkPort(port); err != nil {
			return err
		}
	}
	if dockerRuns("/proc", dockerSockets()...) {
		return ErrDocker
	}
	return nil
}

// checkPort fails when somebody listens on a port, at whatever address.
func checkPort(port int) error {
	ln, err := net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		return fmt.Errorf("port %d is taken: choose others with --port: %w", port, err)
	}
	return ln.Close()
}

func dockerSockets() []string {
	sockets := []string{"/var/run/docker.sock", "/run/docker.sock"}
	if path, ok := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://"); ok {
		sockets = append(sockets, path)
	}
	return sockets
}

// dockerRuns looks for the daemon's process, and for one that listens on its socket:
// the daemon may live where we see no process of it.
func dockerRuns(proc string, sockets ...string) bool {
	names, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "comm"))
	for _, name := range names {
		if comm, err := os.ReadFile(name); err == nil && strings.TrimSpace(string(comm)) == "dockerd" {
			return true
		}
	}
	for _, socket := range sockets {
		conn, err := net.DialTimeout("unix", socket, time.Second)
		if err == nil {
			conn.Close()
			return true
		}
	}
	return false
}
