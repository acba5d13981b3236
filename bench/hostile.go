package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"upfront/internal/hostilesuite"
)

// hostile holds every proxy against targets that send what they must not, and
// writes a table of case and proxy. It measures no time and needs no quiet machine.
func (b *bench) hostile() error {
	target, err := hostilesuite.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer target.Close()
	// A probe must not take what is meant for the client of a case.
	probed, err := hostilesuite.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer probed.Close()
	cases := hostilesuite.Cases()
	var names []string
	found := make([][]string, len(cases)) // by case, by proxy
	for _, p := range b.peers {
		cmd, listen, err := b.startPatient(p.Name, p.Path, target.Address(), probed.Address())
		if errors.Is(err, errNoConfig) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		names = append(names, p.Name+" "+p.Version())
		for i, c := range cases {
			wrong := hostilesuite.Run(context.Background(), c, target, listen)
			found[i] = append(found[i], wrong)
			if wrong != "" {
				fmt.Fprintf(os.Stdout, "%-8s %s, %s: %s\n", p.Name, c.Class, c.Name, wrong)
			}
		}
		stop(cmd)
	}
	return b.writeHostile(cases, names, found)
}

// startPatient runs a proxy with the time-outs and the room for heads that the suite
// asks for, bodies streamed, and connections to the target kept.
func (b *bench) startPatient(name, path, target, probed string) (*exec.Cmd, string, error) {
	listen := freeAddress()
	seconds := int(hostilesuite.TargetTimeout / time.Second)
	switch name {
	case "upfront":
		return b.startPatientUpfront(path, listen, target, probed)
	case "nginx":
		conf := filepath.Join(b.dir, "hostile-nginx.conf")
		text := fmt.Sprintf(hostileNginx, b.dir, target, listen, seconds)
		cmd := exec.Command(path, "-c", conf, "-e", "/dev/null")
		return cmd, listen, errors.Join(os.WriteFile(conf, []byte(text), 0o600), start(cmd, listen))
	case "haproxy":
		conf := filepath.Join(b.dir, "hostile-haproxy.cfg")
		text := fmt.Sprintf(hostileHAProxy, listen, target, seconds)
		cmd := exec.Command(path, "-db", "-f", conf)
		return cmd, listen, errors.Join(os.WriteFile(conf, []byte(text), 0o600), start(cmd, listen))
	}
	return nil, "", errNoConfig
}

func (b *bench) startPatientUpfront(proxyd, listen, target, probed string) (*exec.Cmd, string, error) {
	timeout := hostilesuite.TargetTimeout.String()
	socket := filepath.Join(b.dir, "hostile.sock")
	conf := filepath.Join(b.dir, "hostile.yml")
	if err := os.WriteFile(conf, []byte("limits:\n  body_timeout: "+timeout+"\n"), 0o600); err != nil {
		return nil, "", err
	}
	cmd := exec.Command(proxyd, "--config", conf, "--http", listen, "--socket", socket,
		"--state", socket+".state", "--access-log", "off", "--log-level", "error")
	if err := start(cmd, listen); err != nil {
		return nil, "", err
	}
	_, port, _ := strings.Cut(probed, ":")
	out, err := exec.Command(filepath.Join(filepath.Dir(proxyd), "proxyctl"), "--socket", socket, "deploy", "bench",
		"--target", target, "--target-timeout", timeout, "--health-check-port", port).CombinedOutput()
	if err != nil {
		stop(cmd)
		return nil, "", errors.New(strings.TrimSpace(string(out)))
	}
	return cmd, listen, nil
}

// hostileNginx takes a folder, the target, the listener and seconds. Buffers are
// large enough for the heads of the suite, trailers and 1xx as that nginx has them.
const hostileNginx = `daemon off; master_process off; worker_processes 1; error_log /dev/null; pid %[1]s/hostile-nginx.pid;
events { worker_connections 4096; }
http {
  access_log off; client_max_body_size 0; client_body_temp_path %[1]s/hb; proxy_temp_path %[1]s/hp;
  fastcgi_temp_path %[1]s/hf; uwsgi_temp_path %[1]s/hu; scgi_temp_path %[1]s/hs;
  upstream app { server %[2]s; keepalive 64; }
  server { listen %[3]s;
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_buffering off; proxy_request_buffering off;
      proxy_buffer_size 256k; proxy_buffers 8 256k; proxy_busy_buffers_size 512k;
      proxy_read_timeout %[4]ds; proxy_send_timeout %[4]ds; proxy_connect_timeout 2s; } } }
`

// hostileHAProxy takes the listener, the target and seconds. It retries what is
// safe to, as its manual advises.
const hostileHAProxy = `global
  nbthread 1
  maxconn 2000
  tune.bufsize 262144
  tune.http.maxhdr 500
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server %[3]ds
  retries 3
  retry-on conn-failure empty-response
frontend f
  bind %[1]s
  http-request disable-l7-retry if METH_POST
  default_backend b
backend b
  http-reuse always
  server s %[2]s
`

// errNoConfig says that a proxy is not one that a suite knows how to set up.
var errNoConfig = errors.New("no config for this suite")

// writeHostile writes the table.
func (b *bench) writeHostile(cases []hostilesuite.Case, names []string, found [][]string) error {
	if err := os.MkdirAll(b.results, 0o755); err != nil {
		return err
	}
	file := filepath.Join(b.results, time.Now().UTC().Format("2006-01-02-150405")+"-hostile.md")
	fmt.Fprintf(os.Stdout, "\n%s\n", file)
	return os.WriteFile(file, []byte(hostileTable(cases, names, found)), 0o644)
}

func hostileTable(cases []hostilesuite.Case, names []string, found [][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d targets that send what they must not; what is not *pass* is what the client saw.\n\n", len(cases))
	b.WriteString("| class | the target sends | decides |")
	passed := make([]int, len(names))
	for _, name := range names {
		fmt.Fprintf(&b, " %s |", name)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(names)) + "\n")
	for i, c := range cases {
		fmt.Fprintf(&b, "| %s | %s | %s |", c.Class, cell(c.Name), c.RFC)
		for n, wrong := range found[i] {
			if wrong == "" {
				passed[n]++
				wrong = "pass"
			}
			fmt.Fprintf(&b, " %s |", cell(wrong))
		}
		b.WriteString("\n")
	}
	b.WriteString("| | **passed** | |")
	for _, n := range passed {
		fmt.Fprintf(&b, " **%d of %d** |", n, len(cases))
	}
	b.WriteString("\n")
	return b.String()
}

// cell is text for a cell of a table.
func cell(text string) string {
	text = strings.NewReplacer("|", "\\|", "\n", " ").Replace(text)
	if runes := []rune(text); len(runes) > 120 {
		text = string(runes[:120]) + "…"
	}
	return text
}
