// Command quickstart shows a deploy under load on this machine, with nothing but
// Go installed:
//
//	go run ./examples/quickstart
//
// It builds proxyd and proxyctl, starts version 1 of a small app, puts load on
// it, deploys version 2 in its place, kills version 1 with SIGKILL the moment
// the deploy returns, and says what became of every request. It exits with
// status 1 when one of them failed, and leaves nothing behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	os.Exit(start())
}

// start returns the exit status, so that everything deferred has run by then.
func start() int {
	var s settings
	flag.StringVar(&s.bin, "bin", "", "folder with proxyd and proxyctl; without it they are built")
	flag.DurationVar(&s.calm, "calm", 3*time.Second, "time under load before and after the deploy")
	flag.StringVar(&s.json, "json", "", "file that the report is written to, as JSON")
	app := flag.String("app", "", "run the demo app of this version, and nothing else")
	boot := flag.Duration("boot", 0, "with --app: time until /up answers 200")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *app != "" {
		err = runApp(ctx, *app, *boot)
	} else {
		err = run(ctx, s, newScreen(os.Stdout))
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFailed):
		// The report has said everything.
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "\nstopped; everything is cleaned up")
	default:
		fmt.Fprintf(os.Stderr, "\nquickstart: %v\n", err)
	}
	return 1
}
