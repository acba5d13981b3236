package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Nothing that is done to the control socket may be felt by a client of the data
// plane, or keep an operator from being served.
func TestControlSocket_survivesAbuse(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	traffic := startLoad(t, p.address, getModes)
	abuses := []struct {
		name string
		run  func(t *testing.T, p *proxy)
	}{
		{"a body beyond 1 MiB", abuseLargeBody},
		{"garbage", abuseGarbage},
		{"requests that never end", abuseSlow},
		{"half-closed connections", abuseHalfClosed},
		{"1,000 connections", abuseConnections},
		{"another uid", abuseOtherUser},
	}
	for _, abuse := range abuses {
		t.Run(abuse.name, func(t *testing.T) {
			abuse.run(t, p)
			waitFor(t, 10*time.Second, "proxyctl to be served again", func() bool {
				status, _, _ := p.ctl(t, "list")
				return status == 0
			})
		})
	}
	traffic.expectNoFailure(t)
}

func connect(t *testing.T, p *proxy) *net.UnixConn {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: p.socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

func abuseLargeBody(t *testing.T, p *proxy) {
	c := connect(t, p)
	body := bytes.Repeat([]byte(" "), 2<<20)
	_, _ = io.WriteString(c, "POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "+itoa(len(body))+"\r\n\r\n")
	_, _ = c.Write(body) // may well be refused before its end
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return // closed without an answer: bounded too
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode < 400 || resp.StatusCode >= 500 {
		t.Errorf("status = %d, want 4xx", resp.StatusCode)
	}
}

func abuseGarbage(t *testing.T, p *proxy) {
	for _, text := range []string{
		"\x00\xff\x16\x03\x01\x02\x00garbage\r\n\r\n",
		"POST /v1/services/web/deploy HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{\"spec\":\"",
		"POST /v1/services/web/deploy HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n{\"surprise\":true}",
		"POST /v1/services/..%2f..%2fetc/deploy HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
		"DELETE /v1/services HTTP/1.1\r\nHost: x\r\n\r\n",
		strings.Repeat("A", 1<<20),
	} {
		c := connect(t, p)
		_, _ = io.WriteString(c, text) // may be refused before its end
		_ = c.CloseWrite()
		answer, _ := io.ReadAll(c) // until proxyd ends it
		if bytes.HasPrefix(answer, []byte("HTTP/1.1 2")) {
			t.Errorf("garbage %.60q was answered %.60q", text, answer)
		}
	}
}

func abuseSlow(t *testing.T, p *proxy) {
	const promised = 5 * time.Second
	conns := make([]*net.UnixConn, 20)
	began := time.Now()
	for i := range conns {
		conns[i] = connect(t, p)
		_, _ = io.WriteString(conns[i], "POST /v1/services/web/deploy HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	}
	if status, _, stderr := p.ctl(t, "list"); status != 0 {
		t.Errorf("proxyctl list beside slow requests: status %d: %s", status, stderr)
	}
	for _, c := range conns {
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a request that never ends is kept for ever")
		}
	}
	if took := time.Since(began); took > promised+slack(2*time.Second) {
		t.Errorf("requests that never end were kept for %v, want %v", took, promised)
	}
}

func abuseHalfClosed(t *testing.T, p *proxy) {
	for range 50 {
		c := connect(t, p)
		_, _ = io.WriteString(c, "GET /v1/status HTTP/1.1\r\nHo")
		_ = c.CloseWrite()
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a half-closed connection is kept for ever")
		}
	}
}

func abuseConnections(t *testing.T, p *proxy) {
	before, listed := p.descriptors()
	var conns []net.Conn
	for range 1000 {
		c, err := net.DialTimeout("unix", p.socket, time.Second)
		if err != nil {
			break // the kernel's queue is full: bounded
		}
		conns = append(conns, c)
	}
	if now, _ := p.descriptors(); listed && now-before > 200 {
		t.Errorf("%d connections cost %d descriptors, want a bound near 64", len(conns), now-before)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	t.Logf("%d connections were made", len(conns))
}

// Another user is refused even where the permissions of the folder and the
// socket would let him through.
func abuseOtherUser(t *testing.T, p *proxy) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	for path, mode := range map[string]os.FileMode{p.options.dir: 0o755, filepath.Dir(p.socket): 0o755, p.socket: 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	cmd := ctlCommand(t, p, "remove", "web")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Dir = "/"
	err := cmd.Run()
	if status := exitStatus(t, err); status == 0 {
		t.Error("another user removed a service")
	}
	t.Logf("another user is told: %s", strings.TrimSpace(stderr.String()))
}
