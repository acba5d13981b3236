// Command load puts verified load on a proxy whose targets speak the language of
// package payload, and prints what became of it. It exits with status 1 when a
// request failed.
//
//	go run ./internal/load/cmd --address 127.0.0.1:8080 --duration 10s
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"upfront/internal/load"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "load: %v\n", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func run() error {
	o := load.Options{}
	flag.StringVar(&o.Address, "address", "", "host:port of the proxy")
	flag.StringVar(&o.Host, "host", "", "Host header; the address when empty")
	flag.Int64Var(&o.Requests, "requests", 0, "requests to stop after; 0 is no limit")
	flag.DurationVar(&o.Timeout, "timeout", 0, "time for one request; 0 is 20s")
	duration := flag.Duration("duration", 10*time.Second, "time to stop after")
	asJSON := flag.Bool("json", false, "print the report as JSON")
	pace := flag.Duration("pace", 0, "least time between two requests of one connection")
	connections := map[load.Mode]*int{
		load.KeepAlive:      flag.Int("keep-alive", 8, "connections that are kept for many GETs"),
		load.NewConnections: flag.Int("new", 4, "connections made anew for each GET"),
		load.Post:           flag.Int("post", 2, "connections with 64 KB POSTs"),
		load.Stream:         flag.Int("stream", 4, "connections with streamed answers"),
		load.WebSocket:      flag.Int("websocket", 4, "WebSockets"),
	}
	flag.Parse()
	for _, mode := range load.Modes {
		if n := *connections[mode]; n > 0 {
			o.Workers = append(o.Workers, load.Workers{Mode: mode, Connections: n, Pace: *pace})
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *duration)
	defer cancel()
	report, err := load.Run(ctx, o)
	if err != nil {
		return err
	}
	write := report.WriteText
	if *asJSON {
		write = report.WriteJSON
	}
	if err := write(os.Stdout); err != nil {
		return err
	}
	if report.Failed > 0 {
		return errors.New("requests failed")
	}
	return nil
}
