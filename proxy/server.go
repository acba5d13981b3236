package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"upfront/service"
)

// Routes finds the service of a request; service.Registry does.
type Routes interface {
	// Match is called for every request and must neither lock nor allocate.
	Match(host, path []byte) (svc *service.Service, prefix string, ok bool)
}

// Options of a Server.
type Options struct {
	Routes Routes
	// Challenges of certificate authorities. Nil answers none.
	Challenges Challenges
	// Logger for what an operator should know. Nil is silent.
	Logger *zap.Logger
	// AccessLog gets one line a request. Nil is off.
	AccessLog *AccessLog
	// HTTPMetrics are told of every request. Nil is off.
	HTTPMetrics *HTTPMetrics
	// Published finds a service whose health is published, by name, and returns nil
	// when there is none. Nil publishes none.
	Published func(name []byte) *service.Service
	// ShedProbe closes a connection that TakeSpare was asked about, and reports whether
	// there was one. Nil has none.
	ShedProbe func() bool
	Settings  Settings
}

// Server is the data plane. New makes one, Serve runs it on a listener, Shutdown
// ends it.
type Server struct {
	routes      Routes
	challenges  Challenges // nil when none are answered
	log         *zap.Logger
	accessLog   *AccessLog
	httpMetrics *HTTPMetrics                       // nil when off
	published   func(name []byte) *service.Service // may be nil
	settings    atomic.Pointer[Settings]           // replaced whole by Apply
	counters    Counters
	date        atomic.Pointer[dateLine] // replaced by who finds it old
	spools      spoolDisk

	complained seldom      // of a page that was not rendered
	speaker    http.Server // has what every one that speaks HTTP/2 has; never serves
	boundsEach atomic.Bool // a listener cannot pass maxUnsent on to its connections

	leaving  atomic.Bool   // every answer is the last one of its connection
	closing  atomic.Bool   // nothing is accepted any more
	cut      atomic.Bool   // Shutdown waits no longer
	quit     chan struct{} // closed when closing is set
	quitOnce sync.Once

	turns     chan struct{} // of the handshakes that compute
	seats     seats
	room      room
	pressure  pressure
	mu        sync.Mutex
	listeners map[net.Listener]struct{} // guarded by mu
	tunnels   map[*tunnel]struct{}      // guarded by mu; each belongs to a client
	untunnel  bool                      // guarded by mu; those that are opened end at once
	watch     *leaveWatch               // guarded by mu; made by the first Serve
	stopWatch context.CancelFunc        // guarded by mu
	running   sync.WaitGroup            // clients and the watches
	accepting sync.WaitGroup            // Serve calls
}

// New returns a server that serves nothing yet.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	s := &Server{
		routes:      o.Routes,
		challenges:  o.Challenges,
		log:         o.Logger,
		accessLog:   o.AccessLog,
		httpMetrics: o.HTTPMetrics,
		published:   o.Published,
		quit:        make(chan struct{}),
		turns:       newHandshakeTurns(),
		listeners:   make(map[net.Listener]struct{}),
		seats:       newSeats(),
		room:        newRoom(o.ShedProbe),
		tunnels:     make(map[*tunnel]struct{}),
		spools:      spoolDisk{create: temporaryFile, most: spoolMost},
	}
	if log, err := zap.NewStdLogAt(o.Logger, zap.DebugLevel); err == nil {
		s.speaker.ErrorLog = log // what a client does wrong is no operator's concern
	}
	s.spools.room, s.spools.memory = &s.room, &s.pressure
	s.Apply(o.Settings)
	return s
}

// Apply replaces the settings. Exchanges under way keep theirs, and no connection
// is closed for being beyond a limit that has become smaller.
func (s *Server) Apply(settings Settings) {
	next := settings.withDefaults()
	s.share(next)
	s.settings.Store(next)
}

// ConnectTimeout is the present setting, for NewTransport.
func (s *Server) ConnectTimeout() time.Duration { return s.settings.Load().ConnectTimeout }

// Serve accepts connections from a plain listener until Shutdown, and then returns
// nil. It closes ln. Several listeners can be served at once.
func (s *Server) Serve(ln net.Listener) error { return s.ServeListener(ln, ListenerOptions{}) }

// ServeListener is Serve for a listener that is not a plain one.
func (s *Server) ServeListener(ln net.Listener, o ListenerOptions) error {
	if err := s.enter(ln); err != nil {
		return errors.Join(err, ln.Close())
	}
	shared := s.newListener(o)
	defer s.accepting.Done()
	defer ln.Close()
	pause := acceptPause{}
	for {
		conn, err := ln.Accept()
		if err == nil {
			pause.reset()
			s.start(conn, shared)
			continue
		}
		if s.closing.Load() || errors.Is(err, net.ErrClosed) {
			return nil
		}
		var temporary interface{ Temporary() bool }
		if !errors.As(err, &temporary) || !temporary.Temporary() {
			return err
		}
		s.counters.AcceptErrors.Add(1)
		s.log.Warn("Accept failed", zap.Error(err))
		if scarce(err) {
			s.makeRoom()
		}
		pause.wait(s.quit)
	}
}

// enter registers a listener, and starts the leave watch with the first.
func (s *Server) enter(ln net.Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return net.ErrClosed
	}
	if s.watch == nil {
		watch, err := newLeaveWatch()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.watch, s.stopWatch = watch, cancel
		s.running.Go(func() { watch.run(ctx) })
		s.running.Go(func() { s.watchMemory(ctx) })
	}
	if !boundUnsent(ln) {
		s.boundsEach.Store(true)
	}
	s.listeners[ln] = struct{}{}
	s.accepting.Add(1)
	return nil
}

// start runs a client in a goroutine of its own, once there is a seat for it.
func (s *Server) start(conn net.Conn, l *listener) {
	c := newClient(s, conn, l)
	s.counters.Connections.Add(1)
	s.seat(c)
	s.watch.add(c)
	s.running.Go(c.run)
}

func (s *Server) openTunnel(t *tunnel) {
	s.counters.Upgrades.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tunnels[t] = struct{}{}
	if s.untunnel {
		t.target.kill(errCut)
	}
}

func (s *Server) closeTunnel(t *tunnel) {
	if t.ending.Load() {
		s.counters.Cut.Add(1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tunnels, t)
}

// acceptPause keeps a full descriptor table from becoming a busy loop.
type acceptPause struct{ d time.Duration }

func (p *acceptPause) reset() { p.d = 0 }

func (p *acceptPause) wait(quit <-chan struct{}) {
	p.d = min(max(2*p.d, 5*time.Millisecond), 500*time.Millisecond)
	timer := time.NewTimer(p.d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-quit:
	}
}
