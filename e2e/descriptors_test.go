package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// prlimit is a command that starts a program with as many descriptors.
func prlimit(t *testing.T, descriptors int) []string {
	t.Helper()
	path, err := exec.LookPath("prlimit")
	if err != nil {
		t.Skip("prlimit is not installed")
	}
	return []string{path, fmt.Sprintf("--nofile=%d:%d", descriptors, descriptors)}
}

// crowd is connections of clients that are held open.
type crowd []net.Conn

// connectClients opens n connections and sends raw on each.
func connectClients(t *testing.T, address string, n int, raw string) (c crowd) {
	t.Helper()
	for range n {
		conn, err := net.DialTimeout("tcp", address, 10*time.Second)
		if err != nil {
			t.Fatalf("connection %d of %d was refused: %v", len(c)+1, n, err)
		}
		c = append(c, conn)
		if _, err := io.WriteString(conn, raw); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(c.close)
	return c
}

func (c crowd) close() {
	for _, conn := range c {
		_ = conn.Close()
	}
}

// cpu is the processor time that a process has used; ok is false where /proc does
// not say.
func (p *process) cpu() (used time.Duration, ok bool) {
	text, err := os.ReadFile(filepath.Join("/proc", itoa(p.cmd.Process.Pid), "stat"))
	_, rest, found := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if err != nil || !found || len(fields) < 13 {
		return 0, false
	}
	for _, field := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, false
		}
		used += time.Duration(n) * 10 * time.Millisecond
	}
	return used, true
}

// With 64 descriptors and 500 clients, proxyd lives, rests, and has descriptors
// left for the operator and the probes; a moment after the clients left it serves
// as before.
func TestDescriptors_areLeftForTheOperator(t *testing.T) {
	for _, c := range []struct{ name, raw string }{
		{"silent", ""},
		{"waiting", "GET /stream?ms=60000&pieces=2 HTTP/1.1\r\nHost: app.test\r\n\r\n"},
		{"slow heads", "GET / HTTP/1.1\r\nHo"},
		{"slow bodies", "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000\r\n\r\nx"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := startProxy(t, proxyOptions{under: prlimit(t, 64)})
			first, second := startApp(t, "v1"), startApp(t, "v2")
			p.do(t, "deploy", "web", "--target", first.address)
			clients := connectClients(t, p.address, 500, c.raw)
			before, known := p.cpu()
			began := time.Now()
			let(t, 3*time.Second)
			after, _ := p.cpu()
			share := float64(after-before) / float64(time.Since(began))
			t.Logf("%.1f %% of a core", 100*share)
			if known && share > 0.05*float64(slack(1)) {
				t.Errorf("%d clients cost %.0f %% of a core", len(clients), 100*share)
			}
			if n, ok := p.descriptors(); ok && n > 60 {
				t.Errorf("%d of 64 descriptors are taken", n)
			}
			p.do(t, "list")
			// To add a target takes a call, a probe, a write of the state, and those of
			// the first target go on.
			p.do(t, "add", "web", second.address)
			if info, found := p.target(t, "web", first.address); !found || info.Health != "healthy" {
				t.Errorf("the first target is %q", info.Health)
			}
			clients.close()
			took := waitFor(t, slack(time.Second), "a client to be served", func() bool {
				status, err := tryGet(p.address, slack(time.Second))
				return err == nil && status == 200
			})
			t.Logf("served again %v after the clients left", took)
			if text := p.log.String(); strings.Contains(text, "too many open files") {
				t.Errorf("descriptors ran out:\n%s", lastLines(text, 5))
			}
		})
	}
}

// tryGet asks once on a new connection.
func tryGet(address string, timeout time.Duration) (status int, err error) {
	conn, err := net.DialTimeout("tcp", address, timeout)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(timeout))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n"); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// Every one of 500 clients that asks is answered by 64 descriptors, and none is
// refused or reset.
func TestDescriptors_serveMoreClientsThanThereAre(t *testing.T) {
	p := startProxy(t, proxyOptions{under: prlimit(t, 64)})
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	clients := connectClients(t, p.address, 500, "GET /stream?ms=5 HTTP/1.1\r\nHost: app.test\r\n\r\n")
	for i, conn := range clients {
		_ = conn.SetDeadline(time.Now().Add(slack(20 * time.Second)))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("client %d: got %v, %v", i, res, err)
		}
		_ = res.Body.Close()
	}
}
