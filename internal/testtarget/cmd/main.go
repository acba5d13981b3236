// Command testtarget runs one test target as a process of its own, for tests
// that kill it. It prints "Listening ADDRESS" once it does, and ends well on
// SIGTERM and Ctrl-C.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"upfront/internal/testtarget"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "testtarget: %v\n", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

func run() error {
	var o testtarget.Options
	var mode string
	flag.StringVar(&o.Address, "listen", "127.0.0.1:0", "address to listen on; port 0 chooses a free one")
	flag.StringVar(&o.Version, "version-name", "v1", "version that the answers name")
	flag.DurationVar(&o.ReadyAfter, "ready-after", 0, "time during which /up answers 503 at first")
	flag.IntVar(&o.UpStatus, "up-status", 200, "status that /up answers")
	flag.StringVar(&o.UpBody, "up-body", "", "body that /up answers; JSON is sent as such")
	flag.DurationVar(&o.IdleTimeout, "idle-timeout", 0, "time after which idle connections are closed; 0 keeps them")
	flag.StringVar(&mode, "mode", "healthy", "how requests are treated: healthy, hang, reset or refuse")
	flag.Parse()
	var err error
	if o.Mode, err = testtarget.ParseMode(mode); err != nil {
		return fmt.Errorf("read --mode: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	target := testtarget.New(o)
	if err := target.Listen(); err != nil {
		return err
	}
	defer target.Close()
	fmt.Fprintln(os.Stdout, "Listening", target.Addr())
	<-ctx.Done()
	return nil
}
