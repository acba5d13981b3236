package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upfront/bench/machine"
	"upfront/bench/peer"
	"upfront/bench/report"
	"upfront/internal/wssuite"
)

// verdicts of the cases by name, for one proxy.
type verdicts map[string]error

// webSockets runs the WebSocket suite against each proxy, and writes a table of its
// own: what it finds are no figures.
func (b *bench) webSockets() error {
	suite, err := wssuite.New()
	if err != nil {
		return err
	}
	defer suite.Close()
	var names []string
	all := make([]verdicts, len(b.peers))
	for i, p := range b.peers {
		names, all[i] = append(names, p.Name), make(verdicts)
		for _, limits := range []wssuite.Limits{{}, wssuite.Short} {
			cmd, proxy, err := b.startForWebSockets(p, suite.Target(), limits)
			if errors.Is(err, errNoConfig) {
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
			for _, result := range suite.RunAll(proxy, 8) {
				all[i][result.Case.Name] = result.Err
			}
			stop(cmd)
		}
	}
	table := webSocketTable(names, all)
	fmt.Fprint(os.Stdout, table)
	if err := os.MkdirAll(b.results, 0o755); err != nil {
		return err
	}
	name := time.Now().UTC().Format("2006-01-02-150405") + "-websocket.md"
	return os.WriteFile(filepath.Join(b.results, name), []byte(table), 0o644)
}

func webSocketTable(names []string, all []verdicts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; for the cases of silence, each proxy with %v for idle clients and %v for silent tunnels, else 1 h\n\n",
		machine.Describe(), wssuite.Short.Idle, wssuite.Short.Tunnel)
	fmt.Fprintf(&b, "| case | %s |\n|---|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	passed, judged := make([]int, len(names)), make([]int, len(names))
	for _, c := range wssuite.Cases() {
		fmt.Fprintf(&b, "| %s |", c.Name)
		for i := range names {
			err, ran := all[i][c.Name]
			switch {
			case !ran:
				b.WriteString(" – |")
				continue
			case err == nil:
				passed[i]++
				b.WriteString(" pass |")
			default:
				fmt.Fprintf(&b, " %s |", cell(err.Error()))
			}
			judged[i]++
		}
		b.WriteString("\n")
	}
	b.WriteString("| **passed** |")
	for i := range names {
		fmt.Fprintf(&b, " **%d of %d** |", passed[i], judged[i])
	}
	b.WriteString("\n")
	return b.String()
}

// startForWebSockets starts a proxy as its manual says it should be for WebSockets.
func (b *bench) startForWebSockets(p peer.Peer, target string, limits wssuite.Limits) (*exec.Cmd, wssuite.Proxy, error) {
	proxy := wssuite.Proxy{Address: freeAddress(), Limits: limits}
	if limits == (wssuite.Limits{}) {
		limits = wssuite.Limits{Idle: time.Minute, Tunnel: time.Hour}
	}
	var cmd *exec.Cmd
	var err error
	switch p.Name {
	case "nginx":
		cmd, err = b.nginxForWebSockets(p.Path, proxy.Address, target, limits)
	case "haproxy":
		cmd, err = b.haproxyForWebSockets(p.Path, proxy.Address, target, limits)
	case report.Ours:
		cmd, err = b.upfrontForWebSockets(p.Path, proxy.Address, limits)
	default:
		err = errNoConfig
	}
	if err != nil {
		return nil, proxy, err
	}
	if err := start(cmd, proxy.Address); err != nil {
		return nil, proxy, err
	}
	if p.Name != report.Ours {
		return cmd, proxy, nil
	}
	proxyctl := filepath.Join(filepath.Dir(p.Path), "proxyctl")
	proxy.Control = func(args ...string) error {
		out, err := exec.Command(proxyctl, slices.Concat([]string{"--socket", socketOf(cmd)}, args)...).CombinedOutput()
		if err != nil {
			return errors.New(strings.TrimSpace(string(out)))
		}
		return nil
	}
	if err := proxy.Control("deploy", "suite", "--target", target); err != nil {
		stop(cmd)
		return nil, proxy, err
	}
	return cmd, proxy, nil
}

func socketOf(proxyd *exec.Cmd) string {
	return proxyd.Args[slices.Index(proxyd.Args, "--socket")+1]
}

// pinned is a command on the core of the proxy.
func (b *bench) pinned(path string, args ...string) *exec.Cmd {
	cores, _, _ := b.core()
	return exec.Command("taskset", slices.Concat([]string{"-c", cores, path}, args)...)
}

func (b *bench) upfrontForWebSockets(path, listen string, limits wssuite.Limits) (*exec.Cmd, error) {
	conf := filepath.Join(b.dir, "websocket.yml")
	text := fmt.Sprintf("limits: {idle_timeout: %v, tunnel_timeout: %v}\nservices: {}\n", limits.Idle, limits.Tunnel)
	socket := filepath.Join(b.dir, fmt.Sprintf("websocket-%d.sock", limits.Tunnel))
	return b.pinned(path, "--config", conf, "--http", listen, "--socket", socket, "--state", socket+".state",
		"--access-log", "off", "--log-level", "error"), os.WriteFile(conf, []byte(text), 0o600)
}

// nginxForWebSockets is nginx with the map of its manual, and without its own buffers
// for requests, so that a client that sends early is not held against it.
func (b *bench) nginxForWebSockets(path, listen, target string, limits wssuite.Limits) (*exec.Cmd, error) {
	dir := b.dir
	conf := filepath.Join(dir, "nginx-websocket.conf")
	text := fmt.Sprintf(`daemon off; master_process off; worker_processes 1; error_log /dev/null; pid %s/nginx.pid;
events { worker_connections 30000; }
http {
  access_log off; keepalive_timeout %ds; client_body_temp_path %s/body; proxy_temp_path %s/proxy;
  fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  upstream app { server %s; }
  server { listen %s backlog=4096;
    location / { proxy_pass http://app; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_read_timeout %ds; proxy_buffering off; } } }
`, dir, int(limits.Idle.Seconds()), dir, dir, dir, dir, dir, target, listen, int(limits.Tunnel.Seconds()))
	return b.pinned(path, "-c", conf, "-e", "/dev/null"), os.WriteFile(conf, []byte(text), 0o600)
}

func (b *bench) haproxyForWebSockets(path, listen, target string, limits wssuite.Limits) (*exec.Cmd, error) {
	conf := filepath.Join(b.dir, "haproxy-websocket.cfg")
	text := fmt.Sprintf(`global
  nbthread 1
  maxconn 6000
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout http-request 10s
  timeout http-keep-alive %d
  timeout server 30s
  timeout tunnel %d
  option forwardfor
frontend f
  bind %s
  default_backend b
backend b
  server s %s
`, limits.Idle.Milliseconds(), limits.Tunnel.Milliseconds(), listen, target)
	return b.pinned(path, "-db", "-f", conf), os.WriteFile(conf, []byte(text), 0o600)
}
