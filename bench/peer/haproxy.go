package peer

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"time"
)

func haproxy(path string, o Options) (rendered, error) {
	r := rendered{
		files: map[string]string{"haproxy.cfg": haproxyConfig(o)},
		args:  []string{path, "-db", "-f", filepath.Join(o.Dir, "haproxy.cfg")},
	}
	if o.Services > 0 {
		var names strings.Builder
		for i, host := range o.hosts() {
			fmt.Fprintf(&names, "%s b%d\n", host, i)
		}
		r.files["haproxy.map"] = names.String()
	}
	if o.Log {
		r.log = filepath.Join(o.Dir, "haproxy.log")
	}
	if o.Swap {
		socket := filepath.Join(o.Dir, "haproxy.sock")
		r.swap = func(_ context.Context, _ *Proxy, target string) error {
			address, port, _ := strings.Cut(target, ":")
			return tellHAProxy(socket, fmt.Sprintf("set server b/s addr %s port %s\n", address, port))
		}
	}
	return r, nil
}

// tellHAProxy gives a command to the stats socket.
func tellHAProxy(socket, command string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, command); err != nil {
		return err
	}
	said, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	if text := strings.TrimSpace(string(said)); !strings.Contains(text, "changed") && !strings.Contains(text, "no need to change") {
		return fmt.Errorf("haproxy: %s", text)
	}
	return nil
}

func haproxyConfig(o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "global\n  nbthread 1\n  maxconn %d\n  no strict-limits\n", max(o.Descriptors/2-100, 500))
	if o.Swap {
		fmt.Fprintf(&b, "  stats socket %s mode 600 level admin\n", filepath.Join(o.Dir, "haproxy.sock"))
	}
	if len(o.Probed) > 0 {
		b.WriteString("  spread-checks 5\n")
	}
	b.WriteString("defaults\n  mode http\n  timeout connect 2s\n  timeout client 60s\n  timeout server 30s\n" +
		"  timeout tunnel 1h\n  option forwardfor\n")
	if o.Log {
		b.WriteString("  log stdout format raw local0\n  option httplog\n")
	}
	if o.Streams {
		b.WriteString("  option http-no-delay\n")
	}
	bind := o.Listen
	if o.TLS != nil {
		bind += " ssl crt " + o.TLS.Both + " alpn h2,http/1.1 ssl-min-ver TLSv1.3 curves X25519 ciphersuites " + suite
	}
	scheme := map[bool]string{false: "http", true: "https"}[o.TLS != nil]
	fmt.Fprintf(&b, "frontend f\n  bind %s backlog 4096\n"+
		"  unique-id-format %%{+X}o\\ %%ci:%%cp_%%Ts_%%rt\n  unique-id-header X-Request-Id\n"+
		"  http-request set-header X-Forwarded-Proto %s\n  http-request set-header X-Forwarded-Host %%[req.hdr(Host)]\n", bind, scheme)
	if o.Services == 0 {
		fmt.Fprintf(&b, "  default_backend b\nbackend b\n  http-reuse always\n  server s %s\n", o.Target)
	} else {
		fmt.Fprintf(&b, "  use_backend %%[req.hdr(host),field(1,:),lower,map(%s)]\n", filepath.Join(o.Dir, "haproxy.map"))
		for i := range o.Services {
			fmt.Fprintf(&b, "backend b%d\n  http-reuse always\n  server s %s\n", i, o.Target)
		}
	}
	for i, group := range o.groups() {
		fmt.Fprintf(&b, "backend p%d\n  option httpchk GET /up\n  default-server check inter %v\n", i, ProbeInterval)
		for n, target := range group {
			fmt.Fprintf(&b, "  server t%d %s\n", n, target)
		}
	}
	return b.String()
}
