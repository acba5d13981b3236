package daemon

import (
	"context"
	"os"
)

// Main runs proxyd with the arguments, variables and streams of the process, and
// returns the exit status. The end of ctx is a SIGTERM.
func Main(ctx context.Context) int {
	return run(ctx, system{
		args: os.Args[1:], getenv: os.Getenv, unsetenv: os.Unsetenv, stdout: os.Stdout, stderr: os.Stderr,
	})
}
