package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/internal/logfield"
)

// Registry is what the calls about services need; service.Registry is one.
type Registry interface {
	Deploy(ctx context.Context, name string, req api.DeployRequest, progress func(api.Progress)) (*api.Result, error)
	Add(ctx context.Context, name string, req api.AddRequest, progress func(api.Progress)) (*api.Result, error)
	Remove(ctx context.Context, name string, req api.RemoveRequest, progress func(api.Progress)) (*api.Result, error)
	Drain(ctx context.Context, name string, req api.DrainRequest, progress func(api.Progress)) (*api.Result, error)
	Pause(ctx context.Context, name string, req api.PauseRequest, progress func(api.Progress)) (*api.Result, error)
	Stop(ctx context.Context, name string, req api.StopRequest, progress func(api.Progress)) (*api.Result, error)
	Resume(ctx context.Context, name string) (*api.Result, error)
	Rollback(ctx context.Context, name string, req api.RollbackRequest, progress func(api.Progress)) (*api.Result, error)
	RolloutDeploy(ctx context.Context, name string, req api.RolloutDeployRequest, progress func(api.Progress)) (*api.Result, error)
	RolloutSet(ctx context.Context, name string, req api.RolloutSetRequest) (*api.Result, error)
	RolloutStop(ctx context.Context, name string, req api.RolloutStopRequest, progress func(api.Progress)) (*api.Result, error)
	Services() []api.ServiceInfo
	Service(name string) (api.ServiceInfo, bool)
}

// Daemon is what the calls about proxyd as a whole need; internal/daemon supplies it.
// Its methods are called concurrently.
type Daemon interface {
	// Status is everything that proxyctl status shows, services included.
	Status() api.Status
	// Counters since start, by Prometheus-style name; a name may end in labels,
	// such as `upfront_responses_total{code="200"}`. Names that end in _total
	// are counters, others are gauges.
	Counters() map[string]uint64
	// Reload applies the config file again. An *api.Error keeps its code; any
	// other error means that the file is not good.
	Reload(ctx context.Context) error
	// Check returns everything that is wrong with text as a config file, joined,
	// or nil. path is how the file is named in the problems. Nothing changes.
	Check(path string, text []byte) error
}

// Options of a Server.
type Options struct {
	Registry Registry // required
	Daemon   Daemon   // required
	// Logger is told about refused connections and defects. Nil discards.
	Logger *zap.Logger
	// ShutdownTimeout is how long calls that have published their change may go
	// on after the end of Serve's context; the others are canceled at once.
	// Default 10s. Negative waits for none.
	ShutdownTimeout time.Duration
	// RequestTimeout is how long a client may take to send a request, body
	// included. Default 5s.
	RequestTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.ShutdownTimeout == 0 {
		o.ShutdownTimeout = 10 * time.Second
	}
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = 5 * time.Second
	}
	return o
}

const (
	// idleTimeout is how long a connection may stay open between two requests.
	idleTimeout = 30 * time.Second
	// cancelTimeout is how long canceled calls have to tell their clients.
	cancelTimeout = time.Second
	maxHeadBytes  = 16 << 10
)

// Server answers the calls. Serve runs it.
type Server struct {
	registry Registry
	daemon   Daemon
	log      *zap.Logger
	options  Options
	mux      *http.ServeMux
	document func() []byte // of OpenAPI, made at first use
	closing  chan struct{} // closed by Close

	mu      sync.Mutex
	closed  bool           // guarded by mu
	serving sync.WaitGroup // Add guarded by mu
}

// New returns a Server that does nothing until Serve.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{
		registry: o.Registry, daemon: o.Daemon, log: o.Logger, options: o,
		document: sync.OnceValue(openAPI), closing: make(chan struct{}),
	}
	s.mux = s.newMux()
	return s
}

// Serve answers the calls that arrive at ln until ctx ends or Close is called;
// then it stops accepting and cancels the running calls, which ends those that have
// changed nothing yet, lets the others finish for ShutdownTimeout, and returns nil
// when every connection is closed. It closes ln. An error means that ln failed.
//
// A call that goes on for longer, as a drain may, is its registry's to end: Serve
// does not hold up the end of the program for it.
func (s *Server) Serve(ctx context.Context, ln *Listener) error {
	if !s.begin() {
		return ln.Close()
	}
	defer s.serving.Done()
	calls, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	admission := newAdmission(ln, s.log)
	h := s.httpServer(calls)
	h.ConnState = admission.observe
	failed := make(chan error, 1)
	go func() {
		failed <- h.Serve(admission)
		close(failed)
	}()
	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("accept on control socket: %w", err)
	case <-ctx.Done():
	case <-s.closing:
	}
	admission.end()
	s.end(h, cancel)
	admission.wait()
	for range failed { // what it has to say now is that it was closed
	}
	return err
}

// Close makes every Serve return and waits for it. It can be called twice.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	s.serving.Wait()
	return nil
}

func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.serving.Add(1)
	}
	return !s.closed
}

func (s *Server) httpServer(calls context.Context) *http.Server {
	return &http.Server{
		Handler: http.HandlerFunc(s.answer),
		// Ends when the request is complete: see receive.
		ReadTimeout:    s.options.RequestTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeadBytes,
		BaseContext:    func(net.Listener) context.Context { return calls },
		ErrorLog:       zap.NewStdLog(s.log),
	}
}

// errStopping is why calls are canceled at the end.
var errStopping = &api.Error{Code: api.CodeCanceled, Message: "proxyd is stopping; nothing was changed"}

// end stops h: it cancels the calls, which ends those that have changed nothing
// yet, waits for the others, and closes the connections of those that take too
// long or do not read their answer.
func (s *Server) end(h *http.Server, cancel context.CancelCauseFunc) {
	cancel(errStopping)
	grace := max(s.options.ShutdownTimeout, 0) + cancelTimeout
	if err := shutdown(h, grace); errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("Cut connections of the control socket", logfield.Duration(grace))
	}
	_ = h.Close()
}

func shutdown(h *http.Server, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return h.Shutdown(ctx)
}
