// Command proxyd is the daemon: it takes requests, probes targets, and moves
// requests to those that are healthy. It runs without any file; proxyctl tells it
// what to serve.
package main

import (
	"context"
	"os"

	"upfront/internal/daemon"
)

func main() { os.Exit(daemon.Main(context.Background())) }
