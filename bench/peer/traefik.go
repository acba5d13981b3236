package peer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func traefik(path string, o Options) (rendered, error) {
	if o.TLS != nil {
		return rendered{}, CannotError("no config with TLS for traefik yet")
	}
	dynamic := filepath.Join(o.Dir, "traefik.yml")
	r := rendered{
		files: map[string]string{"traefik.yml": traefikConfig(o)},
		args: []string{
			path, "--entrypoints.web.address=" + o.Listen, "--providers.file.filename=" + dynamic,
			"--providers.file.watch=true", "--providers.providersthrottleduration=100ms", "--log.level=ERROR",
			"--global.checknewversion=false", "--global.sendanonymoususage=false",
		},
	}
	if o.Log {
		r.args = append(r.args, "--accesslog.filepath="+filepath.Join(o.Dir, "traefik.log"), "--accesslog.bufferingsize=1000")
	}
	if o.Swap {
		r.swap = func(_ context.Context, _ *Proxy, target string) error {
			o.Target = target
			return os.WriteFile(dynamic, []byte(traefikConfig(o)), 0o600)
		}
	}
	return r, nil
}

func traefikConfig(o Options) string {
	var routers, services strings.Builder
	add := func(name, rule string, targets []string, probed bool) {
		fmt.Fprintf(&routers, "    %s: {rule: %q, service: %s, entryPoints: [web]}\n", name, rule, name)
		fmt.Fprintf(&services, "    %s:\n      loadBalancer:\n", name)
		if probed {
			fmt.Fprintf(&services, "        healthCheck: {path: /up, interval: %v}\n", ProbeInterval)
		}
		services.WriteString("        servers:\n")
		for _, target := range targets {
			fmt.Fprintf(&services, "          - {url: \"http://%s\"}\n", target)
		}
	}
	if o.Services == 0 {
		add("bench", "PathPrefix(`/`)", []string{o.Target}, false)
	}
	for i, host := range o.hosts() {
		add(fmt.Sprintf("s%d", i), "Host(`"+host+"`)", []string{o.Target}, false)
	}
	for i, group := range o.groups() {
		add(fmt.Sprintf("p%d", i), fmt.Sprintf("Host(`p%d.bench.test`)", i), group, true)
	}
	return "http:\n  routers:\n" + routers.String() + "  services:\n" + services.String()
}
