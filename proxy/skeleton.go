package proxy

import (
	"context"
	"io"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"upfront/balancer"
	"upfront/service"
)

// SKELETON: signatures that cmd/proxyd compiles against.

// Routes finds the service of a request; service.Registry does.
type Routes interface {
	Match(host, path []byte) (svc *service.Service, prefix string, ok bool)
}

// Settings can be replaced while the server runs. Zero fields mean the default.
type Settings struct {
	// TrustedProxies may say who the client is (X-Forwarded-*, X-Request-Id). None by default.
	TrustedProxies []netip.Prefix
	MaxHeadBytes   int           // default 65536; more is answered 431
	MaxFields      int           // default 100; more is answered 431
	HeadTimeout    time.Duration // default 10s
	IdleTimeout    time.Duration // default 60s
	ConnectTimeout time.Duration // default 2s
	BodyTimeout    time.Duration // default 30s without a byte of progress
	TunnelTimeout  time.Duration // default 1h without a byte in a tunnel
}

type Options struct {
	Routes    Routes
	Logger    *zap.Logger
	AccessLog *AccessLog // nil is off
	Settings  Settings
}

type Server struct{}

func New(o Options) *Server { return nil }

// Apply replaces the settings; exchanges under way keep theirs.
func (s *Server) Apply(Settings) {}

// Serve accepts connections from ln until Shutdown; then it returns nil. It closes ln.
func (s *Server) Serve(ln net.Listener) error { return nil }

// Shutdown stops accepting, closes idle connections, lets exchanges finish until ctx ends,
// then cuts what is left, and waits for every goroutine of the server.
func (s *Server) Shutdown(ctx context.Context) error { return nil }

// Counters since start, by Prometheus-style name.
func (s *Server) Counters() map[string]uint64 { return nil }

// NewTransport makes the connections to one target. connectTimeout is read at every dial.
func NewTransport(address string, connectTimeout func() time.Duration) balancer.Transport { return nil }

// AccessLog writes one JSON line a request without ever blocking a request.
type AccessLog struct{}

func NewAccessLog(w io.Writer) *AccessLog { return nil }

// Run writes the lines until ctx ends, then flushes what is left (bounded).
func (l *AccessLog) Run(ctx context.Context) error { return nil }

// Dropped is how many lines were dropped because w blocked.
func (l *AccessLog) Dropped() uint64 { return 0 }
