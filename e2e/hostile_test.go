package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upfront/internal/hostilesuite"
)

// Whatever a target sends, its client is never misled, and no other client gets
// any of it.
func TestHostileTargets(t *testing.T) {
	target, probed := listenHostile(t), listenHostile(t)
	config := filepath.Join(t.TempDir(), "proxy.yml")
	timeout := hostilesuite.TargetTimeout.String()
	if err := os.WriteFile(config, []byte("limits:\n  body_timeout: "+timeout+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, proxyOptions{config: config})
	// A probe must not take what is meant for the client of a case.
	_, port, _ := strings.Cut(probed.Address(), ":")
	p.do(t, "deploy", "web", "--target", target.Address(), "--target-timeout", timeout, "--health-check-port", port)
	for _, c := range hostilesuite.Cases() {
		t.Run(c.Class+"/"+c.Name, func(t *testing.T) {
			if wrong := hostilesuite.Run(t.Context(), c, target, p.address); wrong != "" {
				t.Errorf("%s: got %s", c.RFC, wrong)
			}
		})
	}
	if !p.running() {
		t.Error("proxyd ended")
	}
}

func listenHostile(t *testing.T) *hostilesuite.Target {
	t.Helper()
	target, err := hostilesuite.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Close)
	return target
}
