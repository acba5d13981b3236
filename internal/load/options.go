package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Mode is a kind of request.
type Mode string

// The modes.
const (
	KeepAlive      Mode = "keep-alive GET"
	NewConnections Mode = "new connection GET"
	Post           Mode = "64 KB POST"
	Stream         Mode = "streamed answer"
	WebSocket      Mode = "WebSocket echo"
)

// Modes are all of them, in the order of reports.
var Modes = []Mode{KeepAlive, NewConnections, Post, Stream, WebSocket}

// Workers are connections that do the same, each one request after the other.
type Workers struct {
	Mode Mode
	// Connections at once. Default 1.
	Connections int
	// Pace is the least time from the start of one request to the start of the
	// next of the same connection. Zero is as fast as answers come.
	Pace time.Duration
}

// Options of a Generator; zero fields mean the default named beside them.
type Options struct {
	// Address of the proxy, as host:port. Required.
	Address string
	// Host header. Default Address.
	Host string
	// Prefix goes before every path. Default none.
	Prefix string
	// Workers at once. Default: 4 keep-alive connections.
	Workers []Workers
	// Requests to stop after, over all workers. Zero is no limit.
	Requests int64
	// Timeout of one exchange or WebSocket message. Default 20s.
	Timeout time.Duration
	// AnswerSize is the content of a GET answer in bytes. Default 300.
	AnswerSize int
	// PostSize is the body of a POST in bytes. Default 65536.
	PostSize int
	// StreamTime that a streamed answer takes, in StreamPieces pieces.
	// Defaults 1.5s and 6.
	StreamTime   time.Duration
	StreamPieces int
	// MaxFailures that are kept with their cause; all are counted. Default 1000.
	MaxFailures int
	// Dial connects to Address. Default a net.Dialer.
	Dial func(ctx context.Context) (net.Conn, error)
}

func (o Options) withDefaults() (Options, error) {
	if o.Address == "" {
		return o, errors.New("make load: no Address")
	}
	if o.Host == "" {
		o.Host = o.Address
	}
	if len(o.Workers) == 0 {
		o.Workers = []Workers{{Mode: KeepAlive, Connections: 4}}
	}
	workers := make([]Workers, len(o.Workers))
	for i, w := range o.Workers {
		if requesters[w.Mode] == nil {
			return o, fmt.Errorf("make load: unknown mode %q", w.Mode)
		}
		w.Connections = max(w.Connections, 1)
		workers[i] = w
	}
	o.Workers = workers
	o.Timeout = orDefault(o.Timeout, 20*time.Second)
	o.AnswerSize = orDefault(o.AnswerSize, 300)
	o.PostSize = orDefault(o.PostSize, 64<<10)
	o.StreamTime = orDefault(o.StreamTime, 1500*time.Millisecond)
	o.StreamPieces = orDefault(o.StreamPieces, 6)
	o.MaxFailures = orDefault(o.MaxFailures, 1000)
	if o.Dial == nil {
		address := o.Address
		o.Dial = func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		}
	}
	return o, nil
}

func orDefault[T int | time.Duration](v, fallback T) T {
	if v <= 0 {
		return fallback
	}
	return v
}
