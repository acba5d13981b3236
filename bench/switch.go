package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"upfront/bench/load"
	"upfront/bench/peer"
	"upfront/bench/report"
)

const switchDeploys = 20

// switchTime measures the time from an app's first good answer on /up to the
// first request that the proxy sends it, under a light load, and what the same
// boots would cost a proxy that probes once a second from the start of the
// deploy, as kamal-proxy does.
func (b *bench) switchTime() error {
	first, err := newApp("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { first.close() }()
	cores, _, _ := b.core()
	proxy, err := b.peers[0].Start(cores, b.ask(peer.Options{Swap: true, Target: first.address}))
	if err != nil {
		return err
	}
	defer proxy.Stop()
	loaded := make(chan error, 1)
	var ended atomic.Bool
	go func() { loaded <- pacedLoad(b.address(0), &ended) }()
	var ours, kamal []float64
	for range min(switchDeploys, 3*b.rounds) {
		boot := 200*time.Millisecond + rand.N(2800*time.Millisecond)
		next, took, err := deployBooting(proxy, boot)
		if err != nil {
			return err
		}
		ours = append(ours, took.Seconds()*1e3)
		kamal = append(kamal, (time.Second-boot%time.Second).Seconds()*1e3)
		first.close()
		first = next
	}
	ended.Store(true)
	if err := <-loaded; err != nil {
		return fmt.Errorf("load: %w", err)
	}
	const name = "app ready to first request"
	for _, one := range []struct {
		metric string
		p      int
	}{{"p50", 50}, {"p95", 95}} {
		b.add(name, one.metric, "ms", report.Ours, percentile(ours, one.p), "")
		b.add(name, one.metric, "ms", "1 s probes", percentile(kamal, one.p), "")
	}
	return nil
}

func percentile(values []float64, p int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

// deployBooting deploys an app that listens only after boot, and returns the time
// from its first good answer on /up to its first request.
func deployBooting(proxy *peer.Proxy, boot time.Duration) (*app, time.Duration, error) {
	address := freeAddress()
	started := make(chan *app, 1)
	failed := make(chan error, 1)
	time.AfterFunc(boot, func() {
		a, err := newApp(address)
		failed <- err
		started <- a
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := proxy.Swap(ctx, address); err != nil {
		return nil, 0, err
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

// pacedLoad sends 500 requests a second until ended.
func pacedLoad(address string, ended *atomic.Bool) error {
	job := small(4)
	job.Address, job.Rate = address, 500
	l, err := load.Open(job)
	if err != nil {
		return err
	}
	defer l.Close()
	for !ended.Load() {
		if _, err := l.Run(50 * time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func freeAddress() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err) // no port is free
	}
	defer ln.Close()
	return ln.Addr().String()
}
