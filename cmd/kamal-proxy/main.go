// Command kamal-proxy is proxyd and proxyctl under the name, and with the command
// line, that Kamal 2 knows. Called by the name of one of these it is that one, so that
// an image carries one program for all three.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"upfront/internal/cli"
	"upfront/internal/daemon"
	"upfront/internal/version"
)

func main() {
	switch filepath.Base(os.Args[0]) {
	case "proxyd":
		os.Exit(daemon.Main(context.Background()))
	case "proxyctl":
		os.Exit(command(cli.Options{Name: "proxyctl"}))
	}
	os.Exit(command(cli.Options{Name: "kamal-proxy", Kamal: &cli.Kamal{Run: run}}))
}

// command runs a line of the command tree and returns its exit status.
func command(o cli.Options) int {
	ctx := context.Background()
	if o.Kamal == nil || len(os.Args) < 2 || os.Args[1] != "run" { // run heeds signals itself
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
		// The first Ctrl-C cancels the call; a second one ends the program at once.
		context.AfterFunc(ctx, stop)
	}
	o.Version = version.String()
	return cli.Run(ctx, os.Args[1:], o)
}

func run(ctx context.Context, o cli.KamalRun) error {
	return daemon.Kamal(ctx, daemon.KamalOptions{
		Debug: o.Debug, HTTP3: o.HTTP3, HTTPPort: o.HTTPPort, HTTPSPort: o.HTTPSPort, MetricsPort: o.MetricsPort,
	})
}
