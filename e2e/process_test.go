package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a started program. It is killed when the test ends.
type process struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	log    logBuffer
	ended  chan struct{} // closed when it has ended
	state  error         // of Wait; readable once ended is closed
}

// start starts cmd; what it writes to stderr is shown when the test fails.
func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &p.log
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = in
	p.stdout = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	go func() {
		p.state = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		_ = out.Close()
		if text := p.log.String(); t.Failed() && text != "" {
			t.Logf("%s wrote, at the end:\n%s", cmd.Path, lastLines(text, 40))
		}
		if strings.Contains(p.log.String(), "DATA RACE") {
			t.Errorf("%s has a data race:\n%s", cmd.Path, p.log.String())
		}
	})
	return p
}

// kill sends SIGKILL and waits for the end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it can only have ended already
	<-p.ended
}

func (p *process) signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %s: %v", p.cmd.Path, err)
	}
}

// exit waits for the end and returns the exit status.
func (p *process) exit(t testing.TB, limit time.Duration) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		t.Fatalf("%s still runs after %v", p.cmd.Path, limit)
	}
	return exitStatus(t, p.state)
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func exitStatus(t testing.TB, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatalf("run program: %v", err)
	return -1
}

// logBuffer keeps what a process wrote.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// app is a test target as a process of its own.
type app struct {
	*process
	address string
}

// startApp starts the test target with flags and returns when it listens.
func startApp(t testing.TB, version string, flags ...string) *app {
	t.Helper()
	cmd := exec.Command(program(t, "testtarget"), append([]string{"--version-name", version}, flags...)...)
	a := &app{process: start(t, cmd)}
	line, err := a.stdout.ReadString('\n')
	address, found := strings.CutPrefix(strings.TrimSpace(line), "Listening ")
	if err != nil || !found {
		t.Fatalf("first line of testtarget = %q, %v, want Listening ADDRESS; stderr: %s", line, err, a.log.String())
	}
	a.address = address
	return a
}

// freeAddress is an address where nobody listens. Its port is below those that
// systems give to outgoing connections, so that it stays free until it is used.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", itoa(20000+rand.IntN(10000)))
		ln, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		_ = ln.Close()
		return address
	}
	t.Fatal("found no free port from 20000 to 29999")
	return ""
}

// run runs a program to its end.
func run(ctx context.Context, t testing.TB, path string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil && cmd.ProcessState == nil {
		t.Fatalf("%s %v: %v", path, args, err)
	}
	if strings.Contains(errs.String(), "DATA RACE") {
		t.Errorf("%s %v has a data race:\n%s", path, args, errs.String())
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// drainStdout reads what a process prints, so that it never blocks on us.
func (p *process) drainStdout() { go func() { _, _ = io.Copy(io.Discard, p.stdout) }() }
