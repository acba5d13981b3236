package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

const switchDeploys = 20

// switchTime measures the time from an app's first good answer on /up to the
// first request that the proxy sends it, under a light load, and what the same
// boots would cost a proxy that probes once a second from the start of the
// deploy, as kamal-proxy does.
func (r *run) switchTime() error {
	upfront := r.proxies[0]
	first, err := newApp("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { first.close() }()
	cmd, listen, err := upfront.start(first.address)
	if err != nil {
		return err
	}
	defer stop(cmd)
	load := make(chan error, 1)
	var ended atomic.Bool
	go func() { load <- pacedLoad(listen, &ended) }()
	var ours, kamal []float64
	for range switchDeploys {
		boot := 200*time.Millisecond + rand.N(2800*time.Millisecond)
		next, took, err := r.deployBooting(cmd, boot)
		if err != nil {
			return err
		}
		ours = append(ours, took.Seconds()*1e3)
		kamal = append(kamal, (time.Second-boot%time.Second).Seconds()*1e3)
		first.close()
		first = next
	}
	ended.Store(true)
	if err := <-load; err != nil {
		return fmt.Errorf("load: %w", err)
	}
	r.add("ready to first request, p50", "upfront", "ms", median(ours))
	r.add("ready to first request, p95", "upfront", "ms", percentile(ours, 95))
	r.add("ready to first request, p50", "1 s probes", "ms", median(kamal))
	r.add("ready to first request, p95", "1 s probes", "ms", percentile(kamal, 95))
	return nil
}

func percentile(values []float64, p int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

// deployBooting deploys an app that listens only after boot, and returns the time
// from its first good answer on /up to its first request.
func (r *run) deployBooting(proxyd *exec.Cmd, boot time.Duration) (*app, time.Duration, error) {
	address := freeAddress()
	started := make(chan *app, 1)
	failed := make(chan error, 1)
	time.AfterFunc(boot, func() {
		a, err := newApp(address)
		failed <- err
		started <- a
	})
	proxyctl := filepath.Join(filepath.Dir(proxyd.Args[3]), "proxyctl")
	out, err := exec.Command(proxyctl, "--socket", socketOf(proxyd), "deploy", "bench", "--target", address).CombinedOutput()
	if err != nil {
		return nil, 0, errors.New(strings.TrimSpace(string(out)))
	}
	if err := <-failed; err != nil {
		return nil, 0, err
	}
	a := <-started
	for range 500 {
		if at := a.served.Load(); at != 0 {
			return a, time.Duration(at - a.ready.Load()), nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	return nil, 0, errors.New("no request reached the new target within 1s")
}

func socketOf(proxyd *exec.Cmd) string {
	return proxyd.Args[slices.Index(proxyd.Args, "--socket")+1]
}

// app is a target that remembers when it was first asked.
type app struct {
	address string
	server  *fasthttp.Server
	ln      net.Listener
	ready   atomic.Int64 // Unix nanoseconds of the first answer on /up
	served  atomic.Int64 // Unix nanoseconds of the first other request
}

func newApp(address string) (*app, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	a := &app{address: ln.Addr().String(), ln: ln}
	a.server = &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		at := &a.served
		if string(ctx.Path()) == "/up" {
			at = &a.ready
		}
		at.CompareAndSwap(0, time.Now().UnixNano())
		ctx.SetBodyString("ok")
	}}
	go a.server.Serve(ln)
	return a, nil
}

func (a *app) close() { _ = a.server.Shutdown() }

// pacedLoad sends a request every 2 ms until ended.
func pacedLoad(addr string, ended *atomic.Bool) error {
	for !ended.Load() {
		if _, err := oneConnection(addr, time.Now().Add(2*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}
