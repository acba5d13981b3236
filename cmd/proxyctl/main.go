// Command proxyctl tells a running proxyd what to do, over its control socket.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"upfront/internal/cli"
	"upfront/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first Ctrl-C cancels the call; a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	status := cli.Run(ctx, os.Args[1:], cli.Options{Name: "proxyctl", Version: version.String()})
	stop()
	os.Exit(status)
}
