package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The cores.
const (
	proxyCore = "0"
	loadCore  = "1"
)

// proxy is one proxy under test, in front of one target.
type proxy struct {
	name string
	path string // of the program
	// start runs it on a free port in front of target and returns the process
	// and the address.
	start func(target string) (*exec.Cmd, string, error)
}

// findProxies returns Upfront and the peers that are there.
func (r *run) findProxies(bin string, peers peerFlag) ([]proxy, error) {
	proxyd, err := filepath.Abs(filepath.Join(bin, "proxyd"))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(proxyd); err != nil {
		return nil, fmt.Errorf("find proxyd: %w: run make build first, or set --bin", err)
	}
	all := []proxy{{"upfront", proxyd, func(target string) (*exec.Cmd, string, error) {
		return r.startUpfront(proxyd, target)
	}}}
	configs := map[string]func(path, listen, target string) (*exec.Cmd, error){
		"nginx": r.nginx, "haproxy": r.haproxy,
	}
	for name, path := range peers {
		config := configs[name]
		if config == nil {
			return nil, fmt.Errorf("no config for peer %q", name)
		}
		if path, err = exec.LookPath(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s not found: left out\n", name)
			continue
		}
		all = append(all, proxy{name, path, func(target string) (*exec.Cmd, string, error) {
			listen := freeAddress()
			cmd, err := config(path, listen, target)
			if err != nil {
				return nil, "", err
			}
			return cmd, listen, start(cmd, listen)
		}})
	}
	return all, nil
}

// start runs cmd, pinned, and waits until it accepts connections.
func start(cmd *exec.Cmd, listen string) error {
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	for range 200 {
		conn, err := net.Dial("tcp", listen)
		if err == nil {
			return conn.Close()
		}
		time.Sleep(25 * time.Millisecond)
	}
	stop(cmd)
	return fmt.Errorf("%s does not listen on %s", cmd.Path, listen)
}

// stop ends cmd and what it started.
func stop(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
}

func pinned(core, path string, args ...string) *exec.Cmd {
	return exec.Command("taskset", append([]string{"-c", core, path}, args...)...)
}

func freeAddress() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	fatal(err)
	defer ln.Close()
	return ln.Addr().String()
}

func (r *run) startUpfront(proxyd, target string) (*exec.Cmd, string, error) {
	listen := freeAddress()
	accessLog := "off"
	if r.log {
		accessLog = filepath.Join(r.dir, "upfront.log")
	}
	socket := filepath.Join(r.dir, fmt.Sprintf("control-%d.sock", time.Now().UnixNano()))
	cmd := pinned(proxyCore, proxyd, "--http", listen, "--socket", socket,
		"--state", socket+".state", "--access-log", accessLog, "--log-level", "error")
	if err := start(cmd, listen); err != nil {
		return nil, "", err
	}
	out, err := exec.Command(filepath.Join(filepath.Dir(proxyd), "proxyctl"), "--socket", socket,
		"deploy", "bench", "--target", target).CombinedOutput()
	if err != nil {
		stop(cmd)
		return nil, "", errors.New(strings.TrimSpace(string(out)))
	}
	return cmd, listen, nil
}

func (r *run) nginx(path, listen, target string) (*exec.Cmd, error) {
	dir, accessLog := r.dir, "off"
	if r.log {
		accessLog = filepath.Join(dir, "nginx.log") + " combined buffer=64k flush=1s"
	}
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; worker_processes 1; error_log /dev/null; pid %s/nginx.pid;
events { worker_connections 30000; }
http {
  access_log %s; keepalive_requests 100000000; client_body_temp_path %s/body; proxy_temp_path %s/proxy;
  fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;
  upstream app { server %s; keepalive 256; keepalive_requests 100000000; }
  server { listen %s backlog=4096;
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Request-Id $request_id; } } }
`, dir, accessLog, dir, dir, dir, dir, dir, target, listen)
	return pinned(proxyCore, path, "-c", conf, "-e", "/dev/null"), os.WriteFile(conf, []byte(text), 0o600)
}

func (r *run) haproxy(path, listen, target string) (*exec.Cmd, error) {
	conf := filepath.Join(r.dir, "haproxy.cfg")
	text := fmt.Sprintf(`global
  nbthread 1
  maxconn 6000
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 30s
  option forwardfor
frontend f
  bind %s
  unique-id-format %%{+X}o\ %%ci:%%cp_%%Ts_%%rt
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %%[req.hdr(Host)]
  default_backend b
backend b
  http-reuse always
  server s %s
`, listen, target)
	return pinned(proxyCore, path, "-db", "-f", conf), os.WriteFile(conf, []byte(text), 0o600)
}
