package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"upfront/control"
)

// metricsTimeout bounds one request for metrics, from its first byte to the last of
// the answer.
const metricsTimeout = 10 * time.Second

// listenMetrics binds the port for Prometheus; nil when there is none.
func listenMetrics(ctx context.Context, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics on %q: %w: choose another port with --metrics-port", address, cause(err))
	}
	return ln, nil
}

// serveMetrics answers every path with the counters, until ctx ends.
func (d *daemon) serveMetrics(ctx context.Context) error {
	var more func([]byte) []byte
	if d.httpMetrics != nil {
		more = d.httpMetrics.AppendText
	}
	server := &http.Server{
		Handler:     control.MetricsHandler(d.Counters, more),
		ReadTimeout: metricsTimeout, WriteTimeout: metricsTimeout, IdleTimeout: metricsTimeout,
	}
	ended := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer ended()
	if err := server.Serve(d.metrics); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
