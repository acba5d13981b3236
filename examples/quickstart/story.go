package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"upfront/internal/load"
	"upfront/internal/testtarget"
)

// errFailed: the report shows failed requests.
var errFailed = errors.New("requests failed")

const (
	boot         = time.Second     // that v2 needs until its /up answers 200
	drainTimeout = 3 * time.Second // after which WebSockets have to move
)

type settings struct {
	bin  string
	calm time.Duration
	json string
}

// workers put on the load: a bit of everything that a deploy can break.
var workers = []load.Workers{
	{Mode: load.KeepAlive, Connections: 8, Pace: 4 * time.Millisecond},
	{Mode: load.NewConnections, Connections: 4, Pace: 8 * time.Millisecond},
	{Mode: load.Post, Connections: 2, Pace: 10 * time.Millisecond},
	{Mode: load.Stream, Connections: 8},
	{Mode: load.WebSocket, Connections: 8, Pace: 20 * time.Millisecond},
}

// story is one run of the quickstart.
type story struct {
	settings
	out   *screen
	proxy *proxy
	apps  []*process // that were started, to be killed at the end
	// What is known of the deploy of v2, for the report.
	v2     testtarget.Stats
	killed time.Time // when v1 was
}

// run tells the whole story and cleans up behind itself, however it ends.
func run(ctx context.Context, s settings, out *screen) (err error) {
	out.title("Upfront: a deploy under load")
	dir, err := os.MkdirTemp("", "upfront-quickstart-")
	if err != nil {
		return fmt.Errorf("make a folder to work in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if s.bin == "" {
		began := time.Now()
		if err := build(ctx, dir); err != nil {
			return err
		}
		s.bin = dir
		out.step("build", "proxyd and proxyctl", time.Since(began))
	}
	t := &story{settings: s, out: out}
	defer func() {
		for _, app := range t.apps {
			app.kill()
		}
	}()
	if t.proxy, err = startProxy(ctx, s.bin, dir); err != nil {
		return err
	}
	defer t.proxy.end()
	out.step("start", "proxyd on "+t.proxy.address, 0)
	address, err := t.startApp("v1", 0)
	if err != nil {
		return err
	}
	out.step("start", "app v1 on "+address, 0)
	if err := t.deploy(ctx, address); err != nil {
		return err
	}
	return t.underLoad(ctx)
}

func (t *story) startApp(version string, boot time.Duration) (address string, err error) {
	app, address, err := startApp(version, boot)
	if err != nil {
		return "", err
	}
	t.apps = append(t.apps, app)
	return address, nil
}

// deploy runs proxyctl deploy and shows it.
func (t *story) deploy(ctx context.Context, address string) error {
	began := time.Now()
	args := []string{"deploy", "demo", "--target", address, "--drain-timeout", drainTimeout.String()}
	text, err := t.proxy.ctl(ctx, args...)
	if err != nil {
		return err
	}
	t.out.step("deploy", "proxyctl "+strings.Join(args, " "), time.Since(began))
	t.out.detail(text)
	return nil
}

// underLoad swaps v1 for v2 while clients are busy, and reports.
func (t *story) underLoad(ctx context.Context) error {
	generator, err := load.New(load.Options{Address: t.proxy.address, Host: "demo.test", Workers: workers})
	if err != nil {
		return err
	}
	connections := 0
	for _, w := range workers {
		connections += w.Connections
	}
	t.out.step("load", fmt.Sprintf("%d connections: GETs, new connections, 64 KB POSTs, 1.5s streams, WebSockets", connections), 0)
	loading, stop := context.WithCancel(ctx)
	defer stop()
	loaded := make(chan error, 1)
	go func() { loaded <- generator.Run(loading) }()
	err = t.swap(ctx)
	// The load ends before the proxy and the apps do, whatever happened.
	stop()
	if err := errors.Join(err, <-loaded); err != nil {
		return err
	}
	return t.tell(generator.Report())
}

// swap deploys v2 in the place of v1 and kills v1.
func (t *story) swap(ctx context.Context) error {
	if err := wait(ctx, t.calm); err != nil {
		return err
	}
	address, err := t.startApp("v2", boot)
	if err != nil {
		return err
	}
	t.out.step("start", fmt.Sprintf("app v2 on %s; its /up answers 503 for %s", address, boot), 0)
	if err := t.deploy(ctx, address); err != nil {
		return err
	}
	t.killed = time.Now()
	t.apps[0].kill()
	t.out.detail("waited for v2, switched, let v1 finish, and moved its WebSockets after " + drainTimeout.String())
	t.out.step("kill", "app v1, with SIGKILL, the moment proxyctl returned", 0)
	if err := wait(ctx, t.calm); err != nil {
		return err
	}
	t.v2, err = statsOf(ctx, address)
	return err
}

// tell prints the report and returns errFailed when a request failed.
func (t *story) tell(report *load.Report) error {
	if t.json != "" {
		if err := writeJSON(t.json, report); err != nil {
			return err
		}
	}
	fmt.Fprintln(t.out.out)
	if err := report.WriteText(t.out.out); err != nil {
		return err
	}
	fmt.Fprintln(t.out.out)
	if v1, found := report.Version("v1"); found {
		t.out.step("drain", "v1 gave its last answer "+short(t.killed.Sub(v1.Last))+" before it was killed", 0)
	}
	t.out.step("switch", "v2 got its first request "+short(t.v2.FirstRequest.Sub(t.v2.FirstUp))+" after its first good /up", 0)
	t.out.verdict(report.Failed == 0, fmt.Sprintf("%s requests, %s failed. GETs: p50 %s, p99 %s.", thousands(report.Requests),
		thousands(report.Failed), short(report.Latency.P50), short(report.Latency.P99)))
	if report.Failed > 0 {
		return errFailed
	}
	return nil
}

func writeJSON(path string, report *load.Report) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return errors.Join(report.WriteJSON(f), f.Close())
}

// statsOf asks an app directly what it has seen.
func statsOf(ctx context.Context, address string) (stats testtarget.Stats, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/stats", nil)
	if err != nil {
		return stats, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return stats, fmt.Errorf("ask app for its stats: %w", err)
	}
	defer resp.Body.Close()
	return stats, json.NewDecoder(resp.Body).Decode(&stats)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
