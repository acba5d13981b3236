package dial

import (
	"context"
	"net"
)

// Options say where a target is and how it is spoken to.
type Options struct {
	// Network is "tcp" or "unix". Empty is "tcp".
	Network string
	// Address is host:port, or the path of a unix socket. A name is resolved at every
	// connection.
	Address string
	// Name of the target in errors. Empty is Address.
	Name string
	// TLS to speak to the target. Nil is plain.
	TLS *TLS
	// HTTP2 says that the target speaks HTTP/2, and is spoken to in nothing else.
	HTTP2 bool
}

// Dialer connects to one target. Safe for concurrent use.
type Dialer struct {
	options     Options      // immutable
	credentials *credentials // nil without TLS
	shared      *multiplexer // nil without HTTP/2
}

// New returns a dialer that has connected to nothing yet. Close it.
func New(o Options) *Dialer {
	if o.Network == "" {
		o.Network = "tcp"
	}
	if o.Name == "" {
		o.Name = o.Address
	}
	d := &Dialer{options: o}
	if o.TLS != nil {
		d.credentials = newCredentials(o)
	}
	if o.HTTP2 {
		d.shared = newMultiplexer(d)
	}
	return d
}

// Name is what the target is called in errors.
func (d *Dialer) Name() string { return d.options.Name }

// Host is what the target is called by those who have no name for it: its address, or
// "localhost" for a unix socket, which has none.
func (d *Dialer) Host() string {
	if d.options.Network == "unix" {
		return "localhost"
	}
	return d.options.Address
}

// Multiplexes reports whether a connection of Dial is for one exchange only, for it
// shares its way to the target with others.
func (d *Dialer) Multiplexes() bool { return d.shared != nil }

// Dial returns a connection that speaks HTTP/1.1. ctx ends the attempt, TLS handshake
// included.
func (d *Dialer) Dial(ctx context.Context) (net.Conn, error) {
	if d.shared != nil {
		return d.shared.open(ctx)
	}
	return d.connect(ctx, d.options.Address, net.Dialer{})
}

// DialAlone returns a connection for one request that is shared with nobody, to
// another address of the target when that is not "". Closing it closes everything.
func (d *Dialer) DialAlone(ctx context.Context, address string) (net.Conn, error) {
	if address == "" {
		address = d.options.Address
	}
	// It lives for one answer: keep-alive packets would only cost system calls.
	plain := net.Dialer{KeepAlive: -1}
	if d.shared != nil {
		return d.shared.openAlone(ctx, address, plain)
	}
	return d.connect(ctx, address, plain)
}

// connect reaches the target, and speaks TLS with it where that is asked for.
func (d *Dialer) connect(ctx context.Context, address string, by net.Dialer) (net.Conn, error) {
	var conn net.Conn
	var err error
	if d.options.Network == "unix" {
		conn, err = dialUnix(ctx, address, by)
	} else {
		conn, err = by.DialContext(ctx, "tcp", address)
	}
	if err != nil || d.credentials == nil {
		return conn, err
	}
	return d.handshake(ctx, conn)
}

// Close closes the connections that are shared, once nothing is under way on them.
func (d *Dialer) Close() {
	if d.shared != nil {
		d.shared.close()
	}
}
