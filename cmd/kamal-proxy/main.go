// Command kamal-proxy is proxyd and proxyctl under the name, and with the command
// line, that Kamal 2 knows.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"upfront/internal/cli"
	"upfront/internal/daemon"
	"upfront/internal/version"
)

func main() {
	ctx, stop := context.Background(), func() {}
	if len(os.Args) < 2 || os.Args[1] != "run" { // run heeds signals itself
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		// The first Ctrl-C cancels the call; a second one ends the program at once.
		context.AfterFunc(ctx, stop)
	}
	status := cli.Run(ctx, os.Args[1:], cli.Options{
		Name: "kamal-proxy", Version: version.String(), Kamal: &cli.Kamal{Run: run},
	})
	stop()
	os.Exit(status)
}

func run(ctx context.Context, o cli.KamalRun) error {
	return daemon.Kamal(ctx, daemon.KamalOptions{
		Debug: o.Debug, HTTP3: o.HTTP3, HTTPPort: o.HTTPPort, HTTPSPort: o.HTTPSPort, MetricsPort: o.MetricsPort,
	})
}
