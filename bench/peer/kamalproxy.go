package peer

import (
	"context"
	"path/filepath"
	"strings"
)

// kamalProxy listens on all addresses, and takes its services from its command only.
func kamalProxy(path string, o Options) (rendered, error) {
	switch {
	case o.Services > 100:
		return rendered{}, CannotError("kamal-proxy takes services one command each")
	case len(o.Probed) > 0:
		return rendered{}, CannotError("kamal-proxy takes services one command each")
	case o.TLS != nil:
		return rendered{}, CannotError("no config with TLS for kamal-proxy yet")
	}
	_, port, _ := strings.Cut(o.Listen, ":")
	_, secure, _ := strings.Cut(portBehind(o.Listen, TLSPort), ":")
	env := []string{"HOME=" + o.Dir, "XDG_RUNTIME_DIR=" + o.Dir}
	r := rendered{
		args: []string{path, "run", "--http-port", port, "--https-port", secure},
		env:  env,
	}
	// It always writes its log; nowhere, when it is to be off.
	if o.Log {
		r.log = filepath.Join(o.Dir, "kamal-proxy.log")
	}
	deploy := func(ctx context.Context, target string) error {
		return run(ctx, []string{path, "deploy", "bench", "--target", target}, env)
	}
	r.then = func(ctx context.Context) error { return deploy(ctx, o.Target) }
	if o.Swap {
		r.swap = func(ctx context.Context, _ *Proxy, target string) error { return deploy(ctx, target) }
	}
	return r, nil
}
