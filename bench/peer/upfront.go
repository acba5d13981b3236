package peer

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"upfront/api"
)

const upfrontSocket = "upfront.sock"

func upfront(path string, o Options) (rendered, error) {
	socket := filepath.Join(o.Dir, upfrontSocket)
	r := rendered{
		files: map[string]string{"upfront.yml": upfrontConfig(o)},
		args: []string{
			path, "--config", filepath.Join(o.Dir, "upfront.yml"), "--socket", socket,
			"--state", socket + ".state", "--log-level", "error", "--access-log",
		},
	}
	log := "off"
	if o.Log {
		log = filepath.Join(o.Dir, "upfront.log")
	}
	r.args = append(r.args, log, "--http", o.Listen)
	if o.TLS != nil {
		r.args[len(r.args)-2] = "--https"
	}
	if !o.Swap {
		return r, nil
	}
	deploy := func(ctx context.Context, target string) error {
		client := api.Client{Socket: socket}
		_, err := client.Deploy(ctx, "bench", api.DeployRequest{Targets: []api.Target{{Address: target}}}, nil)
		if err != nil {
			return err // a nil *api.Error would not be nil
		}
		return nil
	}
	r.then = func(ctx context.Context) error { return deploy(ctx, o.Target) }
	r.swap = func(ctx context.Context, _ *Proxy, target string) error { return deploy(ctx, target) }
	return r, nil
}

// upfrontConfig has the services in the file, but for one that is deployed.
func upfrontConfig(o Options) string {
	var b strings.Builder
	if o.Swap {
		return "services: {}\n"
	}
	b.WriteString("services:\n")
	if o.Services == 0 {
		fmt.Fprintf(&b, "  bench:\n    targets: [%q]\n%s", o.Target, o.Settings)
		if o.TLS != nil {
			fmt.Fprintf(&b, "    hosts: [%q]\n    tls: {certificates: [{certificate: %q, key: %q}]}\n", Host(0), o.TLS.Cert, o.TLS.Key)
		}
	}
	for i, host := range o.hosts() {
		// What is measured is the table, not the probes of as many targets.
		fmt.Fprintf(&b, "  s%d: {hosts: %s, targets: [%q], health_check: {interval: 5m}}\n", i, host, o.Target)
	}
	for i, group := range o.groups() {
		fmt.Fprintf(&b, "  p%d:\n    hosts: p%d.bench.test\n    health_check: {interval: %v}\n    targets:\n", i, i, ProbeInterval)
		for _, target := range group {
			fmt.Fprintf(&b, "      - %s\n", target)
		}
	}
	return b.String()
}
