package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"upfront/internal/logfield"
	"upfront/internal/version"
)

// The exit statuses.
const (
	exitClean   = 0
	exitFailure = 1
	exitUsage   = 2
)

// run is the program; it returns the exit status. The end of ctx is a SIGTERM.
func run(ctx context.Context, s system) int {
	o, err := parseFlags(s)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(s.stdout, usage)
		return exitClean
	case err != nil:
		return fail(s, usageError{err})
	case o.version || len(o.rest) == 1 && o.rest[0] == "version":
		fmt.Fprintln(s.stdout, version.String())
		return exitClean
	case len(o.rest) > 0 && o.rest[0] == "check":
		return checkCommand(s, o)
	case len(o.rest) > 0:
		return fail(s, usageError{fmt.Errorf("unknown command %q: see proxyd --help", o.rest[0])})
	}
	err = serve(ctx, s, o)
	switch _, ran := errors.AsType[ranError](err); {
	case err == nil:
		return exitClean
	case ran: // it is in the log
		return exitFailure
	}
	return fail(s, err)
}

// ranError is a failure of a daemon that ran, and logged it.
type ranError struct{ error }

func (e ranError) Unwrap() error { return e.error }

// serve is the daemon from its start to its end.
func serve(ctx context.Context, s system, o options) error {
	// Before anything is built: a SIGTERM while we start must not kill.
	signals := subscribe()
	defer signals.stop()
	d, err := build(ctx, s, o)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.run(ctx, signals); err != nil {
		d.log.Error("Ended with a failure", logfield.Error(err))
		return ranError{err}
	}
	return nil
}

// fail says what is wrong, for people, before there is a log.
func fail(s system, err error) int {
	fmt.Fprintf(s.stderr, "proxyd: %s\n", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailure
}

// run runs every part until ctx ends, a signal asks for the end, or a part
// fails. It is the one place where the goroutines of the program start.
func (d *daemon) run(ctx context.Context, signals *signals) error {
	// Each part ends when those that need it have ended, not all at once.
	lasting := context.WithoutCancel(ctx)
	asked, ask := context.WithCancel(ctx)
	defer ask()
	watch, endWatch := context.WithCancel(lasting)
	defer endWatch()
	calls, endCalls := context.WithCancel(lasting)
	defer endCalls()
	probes, endProbes := context.WithCancel(lasting)
	defer endProbes()
	logs, endLogs := context.WithCancel(lasting)
	defer endLogs()

	g, failed := errgroup.WithContext(lasting)
	callsDone := make(chan struct{})
	g.Go(func() error { return d.registry.Run(probes) })
	for _, ln := range d.listeners {
		g.Go(func() error { return d.server.ServeListener(ln.Listener, ln.options) })
	}
	g.Go(func() error {
		defer close(callsDone)
		return d.control.Serve(calls, d.controlSocket)
	})
	g.Go(func() error { return d.watcher.Run(watch) })
	g.Go(func() error { return d.certificates.Run(watch) })
	g.Go(func() error { return d.acme.Run(watch) })
	g.Go(func() error { return d.notify.feed(logs) })
	g.Go(func() error { return d.handle(logs, signals, ask) })
	if d.metrics != nil {
		g.Go(func() error { return d.serveMetrics(logs) })
	}
	if d.accessLog != nil {
		g.Go(func() error { return d.accessLog.Run(logs) })
	}
	d.announce()
	d.notify.ready(d.sentence())
	g.Go(func() error {
		select {
		case <-asked.Done():
		case <-failed.Done():
		}
		d.log.Info("Stopping")
		d.notify.stopping()
		endWatch()
		endCalls()
		d.finish(lasting)
		<-callsDone // a call that drains needs the registry
		endProbes()
		endLogs()
		return nil
	})
	err := g.Wait()
	d.log.Info("Stopped")
	_ = d.log.Sync() // standard error cannot be synced everywhere
	return err
}

// finish stops accepting and lets requests end, up to the drain timeout.
func (d *daemon) finish(ctx context.Context) {
	timeout := time.Duration(d.drainTimeout.Load())
	if timeout <= 0 {
		timeout = d.reloader.started.drainTimeout
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := d.server.Shutdown(ctx); err != nil {
		d.log.Warn("Requests cut at the drain timeout", logfield.Duration(time.Since(began)), zap.Duration("drain_timeout", timeout))
	}
}

// exit ends the program at once; a variable for tests.
var exit = os.Exit
