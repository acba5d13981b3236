package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/cert"
	"upfront/cert/acme"
	"upfront/config"
	"upfront/control"
	"upfront/internal/logfield"
	"upfront/internal/version"
	"upfront/proxy"
	"upfront/service"
)

// daemon is the parts of the program, wired. It is the control.Daemon.
type daemon struct {
	log         *zap.Logger
	level       zap.AtomicLevel
	notify      notifier
	registry    *service.Registry
	server      *proxy.Server
	accessLog   *proxy.AccessLog   // nil when off
	httpMetrics *proxy.HTTPMetrics // nil unless kamal-proxy's metrics are served
	logFile     *logFile           // nil unless the access log is a file
	reloader    *reloader
	watcher     *config.Watcher
	control     *control.Server
	acme        *acme.Certificates // nil until the listeners are bound
	startedAt   time.Time

	drainTimeout atomic.Int64 // nanoseconds; written by applySettings

	certificates *cert.Store

	listeners     []clientListener
	controlSocket *control.Listener
	metrics       net.Listener // for Prometheus; nil when there is none
}

// Status is everything that proxyctl status shows.
func (d *daemon) Status() api.Status {
	return api.Status{
		Version:   version.String(),
		PID:       os.Getpid(),
		StartedAt: d.startedAt,
		Listeners: names(d.listeners),
		Config:    d.configStatus(),
		State:     d.registry.StateStatus(),
		Counters:  d.Counters(),
		Services:  d.registry.Services(),
		Automatic: d.acme.Status(),
	}
}

// configStatus says which config file is live, and what is wrong with what it names.
func (d *daemon) configStatus() *api.ConfigStatus {
	live := d.reloader.status.Load()
	if live == nil {
		return nil
	}
	status := *live
	for _, problem := range d.certificates.DefaultProblems(time.Now()) {
		note(&status, errors.New(problem))
	}
	return &status
}

// Counters since start.
func (d *daemon) Counters() map[string]uint64 {
	all := maps.Clone(d.server.Counters())
	maps.Copy(all, d.acme.Counters())
	all["upfront_config_loads_total"] = d.reloader.loads.Load()
	all["upfront_config_load_errors_total"] = d.reloader.fails.Load()
	all["upfront_config_problem"] = 0
	if status := d.reloader.status.Load(); status != nil && status.Problem != "" {
		all["upfront_config_problem"] = 1
	}
	expiry, count := d.certificates.NextExpiry()
	all["upfront_tls_certificates"] = uint64(count)
	if count > 0 {
		all["upfront_tls_certificate_next_expiry_seconds"] = uint64(max(expiry.Unix(), 0))
	}
	all["go_goroutines"] = uint64(runtime.NumGoroutine())
	return all
}

// Reload applies the config file again.
func (d *daemon) Reload(context.Context) error {
	d.notify.reloading()
	err := d.reloader.reload()
	d.notify.ready(d.sentence())
	return err
}

// Check returns everything that is wrong with a config file, and changes nothing.
func (d *daemon) Check(path string, text []byte) error {
	file, err := config.Parse(path, text)
	if err != nil {
		return report(err)
	}
	judge := reloader{path: path, registry: d.registry}
	return report(judge.checkAll(file, declared(file.Services), text))
}

// sentence is what the service manager shows.
func (d *daemon) sentence() string {
	text := fmt.Sprintf("Serving %d services", len(d.registry.Services()))
	if status := d.reloader.status.Load(); status != nil && status.Problem != "" {
		text += "; config file: " + status.Problem
	}
	return text
}

// reopenLogs follows a log that was moved away.
func (d *daemon) reopenLogs() {
	if d.logFile == nil {
		return
	}
	if err := d.logFile.Reopen(); err != nil {
		d.log.Error("Access log not reopened", logfield.Error(err))
		return
	}
	d.log.Info("Access log reopened", logfield.Path(d.logFile.path))
}

// abandon frees the state file for the next start; the daemon never ran.
func (d *daemon) abandon() {
	if d.registry != nil {
		ended, end := context.WithCancel(context.Background())
		end()
		_ = d.registry.Run(ended) // always nil
	}
	d.close()
}

// close frees what was opened before the daemon ran, or after it.
func (d *daemon) close() {
	for _, ln := range d.listeners {
		_ = ln.Close() // it serves nothing any more
	}
	if d.acme != nil {
		d.acme.Close()
	}
	if d.metrics != nil {
		_ = d.metrics.Close()
	}
	if d.controlSocket != nil {
		_ = d.controlSocket.Close()
	}
	if d.logFile != nil {
		if err := d.logFile.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			d.log.Warn("Access log not closed", logfield.Error(err))
		}
	}
}
