package daemon

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upfront/api"
)

// TestProcess is proxyd when startProcess runs the test binary: one whose
// signals, descriptors and variables are real.
func TestProcess(t *testing.T) {
	if os.Getenv("PROXYD_TEST_PROCESS") == "" {
		t.Skip("only as a process of its own")
	}
	for i, arg := range os.Args {
		if arg == "--" {
			os.Args = append([]string{"proxyd"}, os.Args[i+1:]...)
			os.Exit(Main(t.Context()))
		}
	}
}

// process is a proxyd in a process of its own.
type process struct {
	*program
	cmd *exec.Cmd
}

// startProcess runs prefix (shell assignments) before the program. LISTEN_PID
// must be the program's own, so a shell sets it and then becomes the program.
func startProcess(t *testing.T, prefix string, files []*os.File, args []string) *process {
	t.Helper()
	p := &process{program: newProgram(t)}
	p.stderr = &buffer{}
	p.args = append(p.args, args...)
	script := prefix + ` PROXYD_TEST_PROCESS=1 exec "$0" -test.run='^TestProcess$' -- "$@"`
	p.cmd = exec.Command("sh", append([]string{"-c", script, os.Args[0]}, p.args...)...)
	p.cmd.Stderr, p.cmd.ExtraFiles = p.stderr, files
	must(t, p.cmd.Start())
	p.done, p.cancel = make(chan int, 1), func() {}
	go func() {
		_ = p.cmd.Wait()
		p.done <- p.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	p.until("it answers", func() bool {
		_, err := p.client.Status(t.Context())
		return err == nil
	})
	return p
}

func (p *process) signal(s os.Signal) { must(p.t, p.cmd.Process.Signal(s)) }

func (p *process) wantsExit(want int) {
	p.t.Helper()
	select {
	case got := <-p.done:
		p.done <- got
		if got != want {
			p.t.Errorf("got exit status %d, want %d: %s", got, want, p.stderr)
		}
	case <-time.After(patience):
		p.t.Fatalf("did not end: %s", p.stderr)
	}
}

func TestProcess_takesSocketsAndTellsTheServiceManager(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = ln.Close() }()
	file, err := ln.(*net.TCPListener).File()
	must(t, err)
	defer func() { _ = file.Close() }()
	manager, path := newManager(t)
	p := startProcess(t, "NOTIFY_SOCKET="+path+" LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=http", []*os.File{file}, nil)

	if got, want := p.status().Listeners, "http://"+ln.Addr().String(); len(got) != 1 || got[0] != want {
		t.Errorf("got listeners %q, want %q", got, want)
	}
	manager.wants("READY=1", "STATUS=Serving 0 services")
	if environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.cmd.Process.Pid)); err == nil && !strings.Contains(string(environ), "LISTEN_PID") {
		t.Error("the variables never were there") // the kernel shows those of the start
	}
	p.signal(syscall.SIGHUP)
	manager.wants("RELOADING=1", "MONOTONIC_USEC=")
	manager.wants("READY=1")
	p.signal(syscall.SIGTERM)
	manager.wants("STOPPING=1")
	p.wantsExit(exitClean)
}

func TestProcess_SIGUSR1_reopensTheAccessLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	p := startProcess(t, "", nil, []string{"--access-log", path})
	must(t, os.Rename(path, path+".1"))
	p.signal(syscall.SIGUSR1)
	p.until("the file is there again", func() bool {
		_, err := os.Stat(path)
		return err == nil
	})
	get(t, p.status().Listeners[0]+"/after")
	p.until("the line is in the new file", func() bool {
		text, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(text), `"path":"/after"`)
	})
}

func TestProcess_aSecondSignalEndsItAtOnce(t *testing.T) {
	p := startProcess(t, "", nil, []string{"--drain-timeout", "1h"})
	began := make(chan struct{})
	held, end := holdingApp(t, began)
	defer end()
	_, err := p.client.Deploy(t.Context(), "web", api.DeployRequest{Targets: []api.Target{{Address: held}}}, nil)
	must(t, err)
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.status().Listeners[0], "http://"))
	must(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.Write([]byte("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"))
	must(t, err)
	<-began
	p.signal(syscall.SIGTERM)
	p.until("it is stopping", func() bool { return strings.Contains(p.stderr.String(), `"msg":"Stopping"`) })
	p.signal(syscall.SIGTERM)
	p.wantsExit(exitFailure)
}
