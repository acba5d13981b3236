package daemon

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap"

	"upfront/balancer"
	"upfront/cert"
	"upfront/config"
	"upfront/control"
	"upfront/dial"
	"upfront/internal/kamalstate"
	"upfront/internal/logfield"
	"upfront/proxy"
	"upfront/service"
)

// usageError is a mistake of whoever started us: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// build makes the parts and wires them, in the order in which they need each
// other. Nothing runs yet, but the listeners are bound: what cannot work fails
// here.
func build(ctx context.Context, s system, o options) (_ *daemon, err error) {
	start, err := readStartFile(o)
	if err != nil {
		return nil, usageError{err}
	}
	now := resolve(o, start.file)
	d := &daemon{level: zap.NewAtomicLevel(), notify: newNotifier(s, os.Getpid()), startedAt: time.Now()}
	setLevel(d.level, now.logLevel)
	d.log = newLogger(s.stderr, d.level, o.kamal)
	d.limitMemory(s, os.DirFS("/"))
	sockets, err := passedListeners(s)
	if err != nil {
		return nil, usageError{err}
	}
	defer func() {
		if err != nil {
			sockets.close()
			d.abandon()
		}
	}()
	if err := d.openAccessLog(s, now); err != nil {
		return nil, err
	}
	if err := d.buildParts(o, start, now, len(now.https)+len(sockets.https) > 0); err != nil {
		return nil, err
	}
	if err := d.listen(ctx, sockets, now); err != nil {
		return nil, err
	}
	if err := d.openACME(now); err != nil {
		return nil, err
	}
	if d.metrics, err = listenMetrics(ctx, o.metrics); err != nil {
		return nil, err
	}
	d.controlSocket, err = listenControl(sockets.control, now)
	return d, err
}

func (d *daemon) openAccessLog(s system, now settings) error {
	var to io.Writer
	switch now.accessLog {
	case "off":
		return nil
	case "-":
		to = s.stdout
	default:
		file, err := openLogFile(now.accessLog)
		if err != nil {
			return err
		}
		d.logFile, to = file, file
	}
	d.accessLog = proxy.NewAccessLog(to, d.log.Named("proxy"))
	return nil
}

// buildParts makes the registry, the data plane and the control plane, and makes
// the config file live.
func (d *daemon) buildParts(o options, start startFile, now settings, endsTLS bool) (err error) {
	if err := makeFolder(now.state, "--state"); err != nil {
		return err
	}
	d.certificates = cert.New(cert.Options{OnEvent: d.certificateReplaced, Next: d.automaticCertificate})
	certificates := d.certificates
	if !endsTLS {
		certificates = nil
	}
	d.registry, err = service.New(service.Options{
		StatePath:     now.state,
		Certificates:  certificates,
		Logger:        d.log.Named("service"),
		Published:     d.publishHosts,
		Takeover:      o.takeover,
		TakeoverAgain: func() bool { return o.kamalState != "" && kamalstate.Newer(o.kamalState, now.state) },
		Mirror:        d.mirror(o.kamalState),
		Room:          spareRoom{d},
		// A target is first dialled when the server below is there.
		NewTransport: func(dialer *dial.Dialer) balancer.Transport {
			return proxy.NewTransportBy(dialer, func() time.Duration { return d.server.ConnectTimeout() })
		},
	})
	if err != nil {
		return fmt.Errorf("open state: %w", err)
	}
	if o.kamal && o.metrics != "" {
		d.httpMetrics = proxy.NewHTTPMetrics()
	}
	d.server = proxy.New(proxy.Options{
		Routes: d.registry, Published: d.registry.Published, ShedProbe: d.registry.ShedProbe, Challenges: d, Logger: d.log.Named("proxy"),
		AccessLog: d.accessLog, HTTPMetrics: d.httpMetrics, Settings: now.proxy,
	})
	d.reloader = &reloader{
		path: start.path, lastGood: lastGoodPath(now.state), options: o, registry: d.registry,
		log: d.log.Named("config"), started: now, apply: d.applySettings,
	}
	if err := d.reloader.begin(start); err != nil {
		return usageError{err}
	}
	d.watcher = config.NewWatcher(start.path, config.WatcherOptions{
		Applied: start.text, OnProblem: d.reloader.vanished,
	}, d.reloader.changed)
	d.control = control.New(control.Options{Registry: d.registry, Daemon: d, Logger: d.log.Named("control")})
	return nil
}

// applySettings makes live what can change while we run.
func (d *daemon) applySettings(next settings) {
	d.server.Apply(next.proxy)
	d.certificates.SetDefaults(next.certificates)
	setLevel(d.level, next.logLevel)
	d.drainTimeout.Store(int64(next.drainTimeout))
}

// announce says where we listen.
func (d *daemon) announce() {
	for _, name := range names(d.listeners) {
		d.log.Info("Listening", zap.String("address", name))
	}
	d.log.Info("Control socket ready", logfield.Path(d.controlSocket.Addr().String()))
}

// spareRoom lets probes keep connections with the descriptors that no exchange needs. Probes
// begin when the server is there.
type spareRoom struct{ d *daemon }

func (r spareRoom) TakeSpare() bool { return r.d.server.TakeSpare() }
func (r spareRoom) GiveSpare()      { r.d.server.GiveSpare() }
