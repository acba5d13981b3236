// Command proxyd is the daemon: it takes requests, probes targets, and moves
// requests to those that are healthy. It runs without any file; proxyctl tells it
// what to serve.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), system{
		args: os.Args[1:], getenv: os.Getenv, unsetenv: os.Unsetenv, stdout: os.Stdout, stderr: os.Stderr,
	}))
}
