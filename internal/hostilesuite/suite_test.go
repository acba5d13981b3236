package hostilesuite

import (
	"io"
	"net"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCases_areNamed(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases() {
		name := c.Class + ": " + c.Name
		if c.Class == "" || c.Name == "" || c.judge == nil || seen[name] {
			t.Errorf("case %q lacks a class, a name or a judge, or is there twice", name)
		}
		seen[name] = true
	}
	if n := len(seen); n < 70 {
		t.Errorf("got %d cases, want 70", n)
	}
	t.Logf("%d cases", len(seen))
}

// relay is the proxy that the suite has to find wrong: it passes on every byte,
// and knows nothing of HTTP.
func relay(t *testing.T, target string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			conn, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			running.Go(func() {
				_, _ = io.Copy(conn, client)
				_ = conn.Close()
			})
			running.Go(func() {
				_, _ = io.Copy(client, conn)
				_ = client.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		running.Wait()
	})
	return ln.Addr().String()
}

func TestRun_findsWhatAProxyDoesWrong(t *testing.T) {
	target, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := relay(t, target.Address())
	t.Cleanup(target.Close)
	// What a relay of bytes does right: it changes nothing and keeps nothing.
	right := map[string]bool{
		"no reason": true, "between two chunks": true, "short of its length": true,
		"one": true, "an extension": true, "CHUNKED": true, "103, then the answer": true, "100 unasked, then the answer": true,
	}
	for _, c := range Cases() {
		switch c.Class {
		case "status line", "Content-Length":
		default:
			if !right[c.Name] {
				continue
			}
		}
		got := Run(t.Context(), c, target, proxy)
		if right[c.Name] != (got == "") {
			t.Errorf("%s, %s: right is %t, got %q", c.Class, c.Name, right[c.Name], got)
		}
	}
}
