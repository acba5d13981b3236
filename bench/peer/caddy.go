package peer

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
)

func caddy(path string, o Options) (rendered, error) {
	r := rendered{
		files: map[string]string{"Caddyfile": caddyfile(o)},
		args:  []string{path, "run", "--config", filepath.Join(o.Dir, "Caddyfile"), "--adapter", "caddyfile"},
		env:   []string{"HOME=" + o.Dir, "XDG_DATA_HOME=" + o.Dir, "XDG_CONFIG_HOME=" + o.Dir},
	}
	if o.Swap {
		r.swap = func(ctx context.Context, _ *Proxy, target string) error {
			o.Target = target
			return loadCaddy(ctx, caddyAdmin(o), caddyfile(o))
		}
	}
	return r, nil
}

// loadCaddy gives a new config to the admin address, as caddy reload does.
func loadCaddy(ctx context.Context, address, config string) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/load", strings.NewReader(config))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/caddyfile")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("caddy: %s: %s", resp.Status, said)
	}
	return nil
}

// caddyAdmin is behind the port of the target.
func caddyAdmin(o Options) string { return portBehind(o.Listen, AdminPort) }

func caddyfile(o Options) string {
	var b strings.Builder
	admin := "off"
	if o.Swap {
		admin = caddyAdmin(o)
	}
	_, port, _ := strings.Cut(o.Listen, ":")
	ports := "http_port " + port
	if o.TLS != nil { // a port is for the one or the other
		_, other, _ := strings.Cut(portBehind(o.Listen, TLSPort), ":")
		ports = "http_port " + other + "\n https_port " + port
	}
	if o.TLS != nil { // nothing that others do not have
		ports += "\n servers {\n  protocols h1 h2\n }"
	}
	fmt.Fprintf(&b, "{\n admin %s\n auto_https off\n default_bind 127.0.0.1\n %s\n log {\n  level ERROR\n }\n}\n", admin, ports)
	scheme, tls := "http", ""
	if o.TLS != nil {
		scheme, tls = "https", fmt.Sprintf(" tls %s %s {\n  protocols tls1.3\n  curves x25519\n }\n", o.TLS.Cert, o.TLS.Key)
	}
	log := ""
	if o.Log {
		log = fmt.Sprintf(" log {\n  output file %s\n  level INFO\n }\n", filepath.Join(o.Dir, "caddy.log"))
	}
	flush := ""
	if o.Streams {
		flush = "  flush_interval -1\n"
	}
	hosts := o.hosts()
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	for _, host := range hosts {
		fmt.Fprintf(&b, "%s://%s:%s {\n%s%s reverse_proxy %s {\n  header_up X-Request-Id {http.request.uuid}\n%s }\n}\n",
			scheme, host, port, tls, log, o.Target, flush)
	}
	for i, group := range o.groups() {
		fmt.Fprintf(&b, "http://p%d.bench.test:%s {\n reverse_proxy %s {\n  health_uri /up\n  health_interval %v\n }\n}\n",
			i, port, strings.Join(group, " "), ProbeInterval)
	}
	return b.String()
}
