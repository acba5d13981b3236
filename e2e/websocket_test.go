package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upfront/internal/load/wsframe"
	"upfront/internal/wssuite"
)

// Every case of the suite, on the program as it is deployed.
func TestWebSocket_suite(t *testing.T) {
	suite, err := wssuite.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("as it is", func(t *testing.T) { runSuite(t, suite, wssuite.Limits{}, "services: {}\n") })
	t.Run("with short limits", func(t *testing.T) {
		limits := fmt.Sprintf("limits: {idle_timeout: %v, tunnel_timeout: %v}\nservices: {}\n", wssuite.Short.Idle, wssuite.Short.Tunnel)
		runSuite(t, suite, wssuite.Short, limits)
	})
	suite.Close()
}

func runSuite(t *testing.T, suite *wssuite.Suite, limits wssuite.Limits, config string) {
	p := startProxy(t, proxyOptions{config: configOf(t, config)})
	p.do(t, "deploy", "suite", "--target", suite.Target())
	proxy := wssuite.Proxy{
		Address: p.address, Slack: int(slack(time.Second) / time.Second), Limits: limits,
		Control: func(args ...string) error {
			if status, _, stderr := p.ctl(t, args...); status != 0 {
				return errors.New("proxyctl " + strings.Join(args, " ") + ": " + stderr)
			}
			return nil
		},
	}
	for _, result := range suite.RunAll(proxy, 8) {
		t.Run(result.Case.Name, func(t *testing.T) {
			if result.Err != nil {
				t.Errorf("%v (after %v)", result.Err, result.Took)
			}
		})
	}
}

// configOf is a config file with text.
func configOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proxy.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// upgraded is a connection that asked for a protocol and got a 101.
func upgraded(t *testing.T, address, protocol string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(slack(20 * time.Second)))
	_, err = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "+protocol+
		"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	for first := true; ; first = false {
		line, err := r.ReadString('\n')
		if err != nil || first && !strings.HasPrefix(line, "HTTP/1.1 101 ") {
			t.Fatalf("got %q, %v, want 101", line, err)
		}
		if line == "\r\n" {
			return conn, r
		}
	}
}

// A restart moves every WebSocket: each client is told, answers, and sees a clean end.
func TestWebSocket_shutdownSaysGoodbyeToAll(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	const sockets = 200
	var conns [sockets]net.Conn
	var readers [sockets]*bufio.Reader
	for i := range sockets {
		conns[i], readers[i] = upgraded(t, p.address, "websocket")
	}
	p.signal(t, syscall.SIGTERM)
	for i := range sockets {
		frame, err := wsframe.Read(readers[i])
		if err != nil || frame.Opcode != wsframe.Close || frame.CloseCode() != wsframe.CloseGoingAway {
			t.Fatalf("socket %d got %+v, %v, want a close frame 1001", i, frame, err)
		}
		answer := wsframe.Frame{Opcode: wsframe.Close, Masked: true, Payload: frame.Payload}
		if _, err := conns[i].Write(wsframe.Append(nil, answer)); err != nil {
			t.Errorf("socket %d could not answer: %v", i, err)
		}
	}
	for i := range sockets {
		if rest, err := io.ReadAll(readers[i]); err != nil || len(rest) > 0 {
			t.Errorf("socket %d got %q, %v, want the end", i, rest, err)
		}
	}
	if status := p.exit(t, slack(5*time.Second)); status != 0 {
		t.Errorf("proxyd ended with status %d", status)
	}
}

func TestWebSocket_otherProtocolsWhereTheFileSaysSo(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go switchToTCP(ln)
	p := startProxy(t, proxyOptions{config: configOf(t, "upgrades: [tcp]\nservices: {}\n")})
	p.do(t, "deploy", "web", "--target", ln.Addr().String())
	conn, r := upgraded(t, p.address, "tcp")
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := r.ReadString('\n'); got != "hello\n" {
		t.Errorf("got %q, %v, want the echo", got, err)
	}
}

// switchToTCP answers probes, and switches every other connection to an echo.
func switchToTCP(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			r := bufio.NewReader(conn)
			first, _ := r.ReadString('\n')
			for line := first; line != "\r\n" && line != ""; {
				line, _ = r.ReadString('\n')
			}
			if strings.HasPrefix(first, "GET /up ") {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
			_, _ = io.Copy(conn, r)
		}()
	}
}
