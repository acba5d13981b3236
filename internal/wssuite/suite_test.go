package wssuite

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// relay is a proxy that knows nothing of HTTP: it copies bytes, each piece through
// change.
func relay(t *testing.T, target string, change func([]byte) []byte) string {
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
			running.Go(func() { relayOne(client.(*net.TCPConn), target, change) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		running.Wait()
	})
	return ln.Addr().String()
}

func relayOne(client *net.TCPConn, address string, change func([]byte) []byte) {
	defer client.Close()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	target := conn.(*net.TCPConn)
	defer target.Close()
	carry := func(to, from *net.TCPConn) {
		b := make([]byte, 64<<10)
		for {
			n, err := from.Read(b)
			if _, failed := to.Write(change(b[:n])); failed != nil || err != nil && err != io.EOF {
				_ = client.Close()
				_ = target.Close()
				return
			}
			if err == io.EOF {
				_ = to.CloseWrite()
				return
			}
		}
	}
	var both sync.WaitGroup
	both.Go(func() { carry(target, client) })
	both.Go(func() { carry(client, target) })
	both.Wait()
}

// verdicts of the cases whose name begins with one of groups.
func verdicts(t *testing.T, change func([]byte) []byte, groups ...string) map[string]error {
	t.Helper()
	suite, err := New()
	if err != nil {
		t.Fatal(err)
	}
	proxy := Proxy{Address: relay(t, suite.Target(), change), Slack: 5}
	t.Cleanup(suite.Close)
	all := make(map[string]error)
	var mu sync.Mutex
	var running sync.WaitGroup
	for _, c := range Cases() {
		group, _, _ := strings.Cut(c.Name, ":")
		for _, wanted := range groups {
			if group == wanted && c.Fits(proxy) {
				running.Go(func() {
					err := suite.Run(proxy, c)
					mu.Lock()
					defer mu.Unlock()
					all[c.Name] = err
				})
			}
		}
	}
	running.Wait()
	return all
}

func TestSuite_passesARelayThatChangesNothing(t *testing.T) {
	all := verdicts(t, func(b []byte) []byte { return b },
		"handshake", "refusal", "early data", "frames", "fragments", "control", "bits", "text", "messages", "close")
	if len(all) < 40 {
		t.Errorf("got %d cases", len(all))
	}
	for name, err := range all {
		// A relay has no second connection to the target for a second request.
		if err != nil && name != "refusal: 200 instead of a switch is an answer, and the connection goes on" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSuite_noticesARelayThatJudgesNothing(t *testing.T) {
	for name, err := range verdicts(t, func(b []byte) []byte { return b }, "upgrade", "101") {
		if err == nil {
			t.Errorf("%s: passed", name)
		}
	}
}

func TestSuite_noticesARelayThatDamagesBytes(t *testing.T) {
	damage := func(b []byte) []byte {
		if len(b) > 0 && b[0] != 'G' && b[0] != 'H' { // a frame, no head of HTTP
			b[len(b)-1] ^= 1
		}
		return b
	}
	for name, err := range verdicts(t, damage, "bits", "control", "messages") {
		if err == nil {
			t.Errorf("%s: passed", name)
		}
	}
}
