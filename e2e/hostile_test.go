package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"upfront/internal/hostilesuite"
)

// Whatever a target sends, its client is never misled, and no other client gets
// any of it.
func TestHostileTargets(t *testing.T) {
	target, err := hostilesuite.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Close)
	config := filepath.Join(t.TempDir(), "proxy.yml")
	timeout := hostilesuite.TargetTimeout.String()
	if err := os.WriteFile(config, []byte("limits:\n  body_timeout: "+timeout+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, proxyOptions{config: config})
	p.do(t, "deploy", "web", "--target", target.Address(), "--target-timeout", timeout)
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
