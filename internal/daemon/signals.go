package daemon

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/internal/logfield"
)

// signals are what the operating system tells us.
type signals struct{ received chan os.Signal }

func subscribe() *signals {
	s := &signals{received: make(chan os.Signal, 16)}
	signal.Ignore(syscall.SIGPIPE)
	signal.Notify(s.received, syscall.SIGTERM, os.Interrupt, syscall.SIGHUP, syscall.SIGUSR1)
	return s
}

// stop ends the subscription. A broken pipe behind the access log stays an error
// of the write, as subscribe made it, rather than the end of the program.
func (s *signals) stop() { signal.Stop(s.received) }

// handle does what signals ask for, until ctx ends. The first SIGTERM or SIGINT
// calls stop, the second ends the program.
func (d *daemon) handle(ctx context.Context, s *signals, stop func()) error {
	stopping := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case received := <-s.received:
			d.log.Info("Signal received", zap.String("signal", received.String()))
			switch {
			case received == syscall.SIGHUP:
				d.reloadAsked(ctx)
			case received == syscall.SIGUSR1:
				d.reopenLogs()
			case stopping:
				d.log.Warn("Ended at once by a second signal")
				exit(exitFailure)
			default:
				stopping = true
				stop()
			}
		}
	}
}

// reloadAsked reloads; what is wrong with the file is logged where it is found.
func (d *daemon) reloadAsked(ctx context.Context) {
	err := d.Reload(ctx)
	var refused *api.Error
	if errors.As(err, &refused) && refused.Code == api.CodeNoConfig {
		d.log.Warn("Nothing to reload", logfield.Error(err))
	}
}
