package e2e

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upfront/internal/load"
)

// SIGTERM: what is in flight finishes, what comes meanwhile is served, idle connections
// are closed and not reset, and the program ends well.
func TestSIGTERM_finishesWhatIsInFlight(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)

	idle := dialProxy(t, p)
	_, _ = io.WriteString(idle.c, "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
	idle.expect(t, 200)
	slow := dialProxy(t, p)
	_, _ = io.WriteString(slow.c, "POST /echo HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
	streams := make(chan *load.Report, 1)
	go func() {
		// One stream each, under way when the signal comes.
		report, _ := load.Run(context.Background(), load.Options{
			Address: p.address, Host: host, Requests: 8,
			Workers: []load.Workers{{Mode: load.Stream, Connections: 8}},
		})
		streams <- report
	}()
	waitFor(t, 10*time.Second, "all to be in flight", func() bool { return app.stats(t).InFlight == 9 })

	p.signal(t, syscall.SIGTERM)
	waitFor(t, 10*time.Second, "new connections to be served for the last time", func() bool {
		late := dialProxy(t, p)
		_, _ = io.WriteString(late.c, "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
		return late.expect(t, 200).Close
	})
	if rest, err := io.ReadAll(idle.r); err != nil || len(rest) > 0 {
		t.Errorf("idle connection at SIGTERM: %q, %v, want a clean end", rest, err)
	}
	_, _ = io.WriteString(slow.c, "5\r\nlater\r\n0\r\n\r\n")
	if resp := slow.expect(t, 200); !resp.Close {
		t.Errorf("answer to a request in flight at SIGTERM has no Connection: close: %v", resp.Header)
	}
	if rest, err := io.ReadAll(slow.r); err != nil || len(rest) > 0 {
		t.Errorf("connection after its last answer: %q, %v, want a clean end", rest, err)
	}
	if report := <-streams; report.Failed > 0 || report.Requests != 8 {
		t.Errorf("streams in flight at SIGTERM:\n%s", report)
	}
	if status := p.exit(t, 10*time.Second); status != 0 {
		t.Errorf("exit status after SIGTERM = %d, want 0", status)
	}
	if _, err := os.Stat(p.socket); err == nil {
		t.Error("the control socket is left behind")
	}
}

// What never ends is cut at the drain timeout.
func TestSIGTERM_cutsAtTheDrainTimeout(t *testing.T) {
	dir := shortFolder(t)
	path := filepath.Join(dir, "proxy.yml")
	if err := os.WriteFile(path, []byte("drain_timeout: 500ms\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, proxyOptions{config: path, dir: dir})
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	endless := dialProxy(t, p)
	_, _ = io.WriteString(endless.c, "GET /stream?ms=600000 HTTP/1.1\r\nHost: app.test\r\n\r\n")
	waitFor(t, 10*time.Second, "it to be in flight", func() bool { return app.stats(t).InFlight == 1 })
	p.signal(t, syscall.SIGTERM)
	began := time.Now()
	if status := p.exit(t, 10*time.Second); status != 0 {
		t.Errorf("exit status = %d, want 0", status)
	}
	if took := time.Since(began); took > 500*time.Millisecond+slack(2*time.Second) {
		t.Errorf("ended %v after SIGTERM, want the drain timeout of 500ms", took)
	}
}

func TestSIGHUP_reloadsAndFailsNoRequest(t *testing.T) {
	app := startApp(t, "v1")
	path := filepath.Join(shortFolder(t), "proxy.yml")
	if err := os.WriteFile(path, []byte(revision(app.address, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, proxyOptions{config: path})
	expectLive(t, p, 1, 10*time.Second)
	traffic := startLoad(t, p.address, getModes)
	for range 5 {
		before := configStatus(t, p).LoadedAt
		p.signal(t, syscall.SIGHUP)
		waitFor(t, 10*time.Second, "the file to be loaded again", func() bool {
			return configStatus(t, p).LoadedAt.After(before)
		})
	}
	traffic.expectNoFailure(t)
}

// rawConn is one connection of a client that writes its requests by hand.
type rawConn struct {
	c net.Conn
	r *bufio.Reader
}

func dialProxy(t *testing.T, p *proxy) rawConn {
	t.Helper()
	c, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return rawConn{c: c, r: bufio.NewReader(c)}
}

// expect reads one whole answer.
func (c rawConn) expect(t *testing.T, status int) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Fatalf("answer = %d %.200q, %v, want %d", resp.StatusCode, body, err, status)
	}
	return resp
}

// Sockets of systemd are taken in place of our own.
func TestListenFDs_areServed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	p := newProxy(t, proxyOptions{dir: shortFolder(t)})
	// LISTEN_PID must be the pid of proxyd itself; exec keeps the shell's.
	cmd := shellCommand("LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"", program(t, "proxyd"),
		"--socket", p.socket, "--state", p.state, "--access-log", "off")
	cmd.ExtraFiles = []*os.File{file}
	p.process = start(t, cmd)
	p.drainStdout()
	p.waitUntilUp(t)
	if !strings.HasSuffix(p.address, ln.Addr().String()) {
		t.Errorf("listener = %q, want %q", p.address, ln.Addr())
	}
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	if status, _, _ := ask(t, ln.Addr().String(), host, "/"); status != 200 {
		t.Errorf("answer through the given socket = %d, want 200", status)
	}
}
