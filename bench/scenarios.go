package main

import (
	"fmt"
	"net"
	"time"
)

// get measures small GETs over kept connections: CPU of the proxy per request.
func (r *run) get() error {
	target, address, err := startTarget()
	if err != nil {
		return err
	}
	defer stop(target)
	for range r.rounds {
		for _, p := range r.proxies {
			if err := r.getRound(p, address); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return nil
}

func (r *run) getRound(p proxy, target string) error {
	cmd, listen, err := p.start(target)
	if err != nil {
		return err
	}
	defer stop(cmd)
	if _, err := keepAlive(listen, r.conns, 300*time.Millisecond); err != nil { // warm
		return err
	}
	before, err := cpuTime(cmd.Process.Pid)
	if err != nil {
		return err
	}
	n, err := keepAlive(listen, r.conns, r.duration)
	if err != nil {
		return err
	}
	after, err := cpuTime(cmd.Process.Pid)
	if err != nil {
		return err
	}
	r.add("GET, CPU", p.name, "µs/request", float64(after-before)/float64(n)/1e3)
	r.add("GET, throughput", p.name, "requests/s", float64(n)/r.duration.Seconds())
	return nil
}

// idleConnections measures what a kept connection costs while nothing is asked.
func (r *run) idleConnections() error {
	target, address, err := startTarget()
	if err != nil {
		return err
	}
	defer stop(target)
	for _, p := range r.proxies {
		if err := r.idleRound(p, address); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (r *run) idleRound(p proxy, target string) error {
	cmd, listen, err := p.start(target)
	if err != nil {
		return err
	}
	defer stop(cmd)
	if _, err := keepAlive(listen, r.conns, time.Second); err != nil { // warm
		return err
	}
	before, err := residentKB(cmd.Process.Pid)
	if err != nil {
		return err
	}
	conns := make([]net.Conn, 0, r.idle)
	defer func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	buf := make([]byte, 4<<10)
	for range r.idle {
		conn, err := net.Dial("tcp", listen)
		if err != nil {
			return err
		}
		conns = append(conns, conn)
		// A connection that never asked is not a kept one.
		if _, err := conn.Write(request); err != nil {
			return err
		}
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Read(buf); err != nil {
			return err
		}
	}
	time.Sleep(2 * time.Second)
	after, err := residentKB(cmd.Process.Pid)
	if err != nil {
		return err
	}
	r.add("idle connection", p.name, "KB", float64(after-before)/float64(r.idle))
	r.add("at rest", p.name, "MB", float64(before)/1024)
	return nil
}
