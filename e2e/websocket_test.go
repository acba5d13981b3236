package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upfront/internal/wssuite"
)

// Every case of the suite, on the program as it is deployed.
func TestWebSocket_suite(t *testing.T) {
	suite, err := wssuite.New()
	if err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, proxyOptions{config: webSocketConfig(t)})
	t.Cleanup(suite.Close)
	p.do(t, "deploy", "suite", "--target", suite.Target())
	proxy := wssuite.Proxy{
		Address: p.address, Slack: int(slack(time.Second) / time.Second), Idle: time.Second, Tunnel: 4 * time.Second,
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

// webSocketConfig has short limits, so that the cases about them are.
func webSocketConfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proxy.yml")
	text := "limits: {idle_timeout: 1s, tunnel_timeout: 4s}\nservices: {}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
