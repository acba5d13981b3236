package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"upfront/api"
)

// build puts proxyd and proxyctl into dir.
func build(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", dir, "upfront/cmd/proxyd", "upfront/cmd/proxyctl")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build proxyd and proxyctl: %w\n%s", err, out)
	}
	return nil
}

// proxy is a running proxyd.
type proxy struct {
	*process
	proxyctl string // path of the program
	socket   string
	address  string // where clients arrive
}

// startProxy starts proxyd on a free port and returns when it answers.
func startProxy(ctx context.Context, bin, dir string) (*proxy, error) {
	p := &proxy{proxyctl: filepath.Join(bin, "proxyctl"), socket: filepath.Join(dir, "control.sock")}
	var err error
	p.process, err = startProcess(filepath.Join(bin, "proxyd"), "--http", "127.0.0.1:0",
		"--socket", p.socket, "--state", filepath.Join(dir, "state.json"), "--access-log", "off")
	if err != nil {
		return nil, err
	}
	if p.address, err = p.waitUntilUp(ctx); err != nil {
		p.end()
		return nil, fmt.Errorf("start proxyd: %w: %s", err, p.stderr)
	}
	return p, nil
}

// waitUntilUp asks proxyctl status until proxyd answers.
func (p *proxy) waitUntilUp(ctx context.Context) (address string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := p.ctl(ctx, "status", "--json")
		if err == nil {
			return firstListener(text)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", err
		}
	}
}

func firstListener(text string) (string, error) {
	var status api.Status
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		return "", fmt.Errorf("read proxyctl status: %w", err)
	}
	if len(status.Listeners) == 0 {
		return "", errors.New("read proxyctl status: no listener")
	}
	_, address, found := strings.Cut(status.Listeners[0], "://")
	if !found {
		address = status.Listeners[0]
	}
	return address, nil
}

// ctl runs proxyctl and returns what it printed.
func (p *proxy) ctl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, p.proxyctl, append([]string{"--socket", p.socket}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("proxyctl %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}
