package load

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Security is how a Secure load comes.
type Security uint8

const (
	// Kept sends all requests of a client over one connection.
	Kept Security = iota
	// Full makes a connection for each request, and a full handshake.
	Full
	// Resumed makes a connection for each request, and resumes a session.
	Resumed
	// HTTP2 sends all requests over one connection, each client on streams of its own.
	HTTP2
)

// Secure is a closed loop over TLS: a goroutine for each client. It costs more than
// Load does, about as much as a proxy in Go: what a proxy costs is still the proxy's
// alone, but it may not be the proxy that is saturated.
type Secure struct {
	address string
	host    string
	how     Security
	config  *tls.Config
	conns   []*tls.Conn  // of Kept
	client  *http.Client // of HTTP2
	clients int
}

// OpenSecure returns a load of a number of clients, connected where they stay so.
func OpenSecure(address, host string, how Security, clients int) (*Secure, error) {
	s := &Secure{address: address, host: host, how: how, clients: clients}
	// Who it is does not matter here; what it costs to check that is the load's.
	s.config = &tls.Config{
		ServerName: host, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"},
		MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}, VerifyConnection: asEqual,
	}
	switch how {
	case Resumed:
		s.config.ClientSessionCache = tls.NewLRUClientSessionCache(clients)
	case HTTP2:
		s.client = s.http2()
	case Kept:
		for range clients {
			conn, err := s.dial()
			if err != nil {
				s.Close()
				return nil, err
			}
			s.conns = append(s.conns, conn)
		}
	case Full:
	}
	return s, nil
}

// Agreed is what every connection of a Secure load agrees on with whoever it comes to, so
// that what is compared is not what the ones choose and the others do not.
const Agreed = "TLS 1.3, X25519, AES-128-GCM, ECDSA P-256"

// asEqual refuses a connection that is not what Agreed says.
func asEqual(c tls.ConnectionState) error {
	if c.CipherSuite != tls.TLS_AES_128_GCM_SHA256 || c.CurveID != tls.X25519 {
		return fmt.Errorf("agreed on %s and %v: measured is %s",
			tls.CipherSuiteName(c.CipherSuite), c.CurveID, Agreed)
	}
	if key, ok := c.PeerCertificates[0].PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		return fmt.Errorf("shown another certificate: measured is %s", Agreed)
	}
	return nil
}

func (s *Secure) http2() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	config := s.config.Clone()
	config.NextProtos = nil
	return &http.Client{Transport: &http.Transport{
		Protocols: protocols, TLSClientConfig: config, MaxConnsPerHost: 1,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.address)
		},
	}}
}

func (s *Secure) dial() (*tls.Conn, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: Grace}, "tcp", s.address, s.config)
	if err != nil {
		return nil, fmt.Errorf("connect with TLS: %w", err)
	}
	return conn, nil
}

// Close ends the connections that are kept.
func (s *Secure) Close() {
	for _, conn := range s.conns {
		conn.Close()
	}
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
}

// Run sends requests for d, and returns what it saw.
func (s *Secure) Run(d time.Duration) (Result, error) {
	var all sync.WaitGroup
	results, errs := make([]Result, s.clients), make([]error, s.clients)
	start := time.Now()
	for i := range s.clients {
		all.Go(func() { errs[i] = s.one(i, start.Add(d), &results[i]) })
	}
	all.Wait()
	sum := Result{Elapsed: time.Since(start)}
	for i := range results {
		sum.Answered += results[i].Answered
		sum.Latency.Merge(&results[i].Latency)
	}
	return sum, errors.Join(errs...)
}

// one is one client until end.
func (s *Secure) one(i int, end time.Time, r *Result) error {
	ask := s.once
	switch s.how {
	case HTTP2:
		ask = s.stream
	case Kept:
		in := bufio.NewReaderSize(s.conns[i], 4<<10)
		request := Get(s.host, "/")
		ask = func() error { return exchange(s.conns[i], in, request) }
	case Full, Resumed:
	}
	for begun := time.Now(); begun.Before(end); {
		if err := ask(); err != nil {
			return err
		}
		now := time.Now()
		r.Answered++
		r.Latency.Add(now.Sub(begun))
		begun = now
	}
	return nil
}

// once makes a connection for one request.
func (s *Secure) once() error {
	conn, err := s.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 4<<10)
	if err := exchange(conn, in, GetOnce(s.host, "/")); err != nil {
		return err
	}
	// The ticket of a session may come behind the answer; and who closes first keeps the port.
	_, err = in.ReadByte()
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// exchange sends a request and reads its answer, whose head fits into in.
func exchange(conn net.Conn, in *bufio.Reader, request []byte) error {
	if err := conn.SetDeadline(time.Now().Add(Grace)); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	for wanted := 1; ; wanted = in.Buffered() + 1 {
		if _, err := in.Peek(wanted); err != nil {
			return err
		}
		head, err := in.Peek(in.Buffered())
		if err != nil {
			return err
		}
		a, err := parseAnswer(head)
		if errors.Is(err, errIncomplete) {
			continue
		}
		if err != nil {
			return err
		}
		_, err = in.Discard(a.size + a.body)
		return err
	}
}

// stream is one request over HTTP/2.
func (s *Secure) stream() error {
	resp, err := s.client.Get("https://" + s.host + "/")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		return fmt.Errorf("answered %s %s", resp.Proto, resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
