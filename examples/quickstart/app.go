package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"upfront/internal/testtarget"
)

// runApp is the demo app: this program, started again as a process of its own,
// so that it can be killed like one.
func runApp(ctx context.Context, version string, boot time.Duration) error {
	app := testtarget.New(testtarget.Options{Version: version, ReadyAfter: boot})
	if err := app.Listen(); err != nil {
		return fmt.Errorf("start app %s: %w", version, err)
	}
	defer app.Close()
	fmt.Fprintln(os.Stdout, "Listening", app.Addr())
	<-ctx.Done()
	return nil
}

// startApp starts the demo app and returns when it listens.
func startApp(version string, boot time.Duration) (app *process, address string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("find this program: %w", err)
	}
	app, err = startProcess(self, "--app", version, "--boot", boot.String())
	if err != nil {
		return nil, "", err
	}
	address, err = app.listening()
	if err != nil {
		app.end()
		return nil, "", fmt.Errorf("start app %s: %w", version, err)
	}
	return app, address, nil
}
