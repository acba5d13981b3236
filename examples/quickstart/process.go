package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program that we started and have to end.
type process struct {
	cmd    *exec.Cmd
	stdout io.Reader
	stderr *tail
	once   sync.Once
	done   chan struct{} // closed when the process has ended and was waited for
}

func startProcess(path string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(path, args...), stderr: &tail{}, done: make(chan struct{})}
	// A group of its own, so that Ctrl-C reaches only us and we end it in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	p.stdout = stdout
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return p, nil
}

// listening reads the address from the line "Listening ADDRESS".
func (p *process) listening() (string, error) {
	line, err := bufio.NewReader(p.stdout).ReadString('\n')
	address, found := strings.CutPrefix(strings.TrimSpace(line), "Listening ")
	if err != nil || !found {
		return "", fmt.Errorf("no address on its first line %q: %s", line, p.stderr)
	}
	return address, nil
}

// kill ends the process with SIGKILL, at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it can only have ended already
	p.wait()
}

// end ends the process with SIGTERM, and after 5 seconds with SIGKILL.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // see kill
	timer := time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	p.wait()
}

func (p *process) wait() {
	p.once.Do(func() {
		_ = p.cmd.Wait() // how it ended is known: we did it
		close(p.done)
	})
	<-p.done
}

// tail keeps the last bytes that a process wrote.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (t *tail) Write(b []byte) (int, error) {
	const most = 16 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(b)
	if n := t.buf.Len(); n > most {
		t.buf.Next(n - most)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(t.buf.String())
}
