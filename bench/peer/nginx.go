package peer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

func nginx(path string, o Options) (rendered, error) {
	if len(o.Probed) > 0 {
		return rendered{}, CannotError("nginx has no active probes")
	}
	conf := filepath.Join(o.Dir, "nginx.conf")
	r := rendered{
		files: map[string]string{"nginx.conf": nginxConfig(o)},
		args:  []string{path, "-c", conf, "-e", "/dev/null"},
	}
	if o.Swap {
		r.swap = func(_ context.Context, p *Proxy, target string) error {
			o.Target = target
			if err := os.WriteFile(conf, []byte(nginxConfig(o)), 0o600); err != nil {
				return err
			}
			return p.cmd.Process.Signal(syscall.SIGHUP)
		}
	}
	return r, nil
}

func nginxConfig(o Options) string {
	var b strings.Builder
	master, log, buffers := "off", "off", ""
	if o.Swap {
		master = "on"
	}
	if o.Log {
		log = filepath.Join(o.Dir, "nginx.log") + " combined buffer=64k flush=1s"
	}
	if o.Streams {
		buffers = " proxy_buffering off;\n"
	}
	connection := `proxy_set_header Connection "";`
	if o.WebSocket {
		connection = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;"
		buffers += " map $http_upgrade $connection_upgrade { default upgrade; '' ''; }\n"
	}
	fmt.Fprintf(&b, "daemon off; master_process %s; worker_processes 1; error_log /dev/null; pid %s/nginx.pid;\n", master, o.Dir)
	if o.Swap && os.Getuid() == 0 {
		b.WriteString("user root;\n") // workers must read what is in a folder of root's
	}
	fmt.Fprintf(&b, "worker_rlimit_nofile %d; worker_shutdown_timeout 10s;\n", max(o.Descriptors, 1024))
	fmt.Fprintf(&b, "events { worker_connections %d; }\nhttp {\n", max(o.Descriptors, 1024))
	fmt.Fprintf(&b, " access_log %s; keepalive_requests 100000000; client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy;\n"+
		" fastcgi_temp_path %[2]s/f; uwsgi_temp_path %[2]s/u; scgi_temp_path %[2]s/s; client_max_body_size 0;\n", log, o.Dir)
	b.WriteString(" server_names_hash_max_size 65536; server_names_hash_bucket_size 128;\n" + buffers)
	listen := o.Listen + " backlog=4096"
	if o.TLS != nil {
		listen = o.Listen + " ssl http2 backlog=4096"
		fmt.Fprintf(&b, " ssl_certificate %s; ssl_certificate_key %s; ssl_session_cache shared:s:10m;\n"+
			" ssl_protocols TLSv1.3; ssl_ecdh_curve X25519; ssl_session_tickets on;\n"+
			" ssl_conf_command Ciphersuites %s; ssl_conf_command NumTickets 1;\n",
			o.TLS.Cert, o.TLS.Key, suite)
	}
	hosts := o.hosts()
	keep := 256
	if len(hosts) > 0 {
		keep = 16
	} else {
		hosts = []string{"_"}
	}
	for i, host := range hosts {
		fmt.Fprintf(&b, " upstream app%d { server %s; keepalive %d; keepalive_requests 100000000; }\n", i, o.Target, keep)
		fmt.Fprintf(&b, " server { listen %s; server_name %s; location / { proxy_pass http://app%d; proxy_http_version 1.1; %s\n",
			listen, host, i, connection)
		b.WriteString("  proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;\n" +
			"  proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;\n" +
			"  proxy_set_header X-Request-Id $request_id; } }\n")
		listen = strings.TrimSuffix(listen, " backlog=4096") // of an address, once
	}
	b.WriteString("}\n")
	return b.String()
}
