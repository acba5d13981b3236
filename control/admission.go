package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/internal/logfield"
)

const (
	// maxConnections that are served at once.
	maxConnections = 64
	// maxRefusals that are answered at once; beyond that a connection is closed
	// without an answer, so that accepting never waits for anybody.
	maxRefusals = 64
	// refuseTimeout is how long a refused client may take to ask and to read.
	refuseTimeout = time.Second
)

// admission hands the connections that may come in to net/http, at most
// maxConnections at once, and answers the others itself: those never cost more
// than a small buffer for a second.
type admission struct {
	ln       *Listener
	log      *zap.Logger
	served   chan struct{}  // one element a served connection
	refused  chan struct{}  // one element a connection being refused
	sessions sync.WaitGroup // of both kinds

	mu     sync.Mutex
	silent map[net.Conn]bool // guarded by mu; served, and nothing was asked yet
	ending bool              // guarded by mu
}

func newAdmission(ln *Listener, log *zap.Logger) *admission {
	return &admission{
		ln: ln, log: log,
		served:  make(chan struct{}, maxConnections),
		refused: make(chan struct{}, maxRefusals),
		silent:  make(map[net.Conn]bool),
	}
}

// Accept returns the next connection that may come in.
func (a *admission) Accept() (net.Conn, error) {
	for {
		conn, err := a.ln.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if err := a.ln.Admit(conn); err != nil {
			a.log.Warn("Refused a connection to the control socket", logfield.Reason(err.Error()))
			a.refuse(conn, &api.Error{Code: api.CodeDenied, Message: err.Error()})
			continue
		}
		select {
		case a.served <- struct{}{}:
			a.sessions.Add(1)
			return &session{UnixConn: conn, admission: a}, nil
		default:
			a.refuse(conn, &api.Error{
				Code:    api.CodeBusy,
				Message: fmt.Sprintf("%d calls are under way, which is as many as proxyd serves: try again", maxConnections),
			})
		}
	}
}

// Close stops accepting.
func (a *admission) Close() error { return a.ln.Close() }

// Addr is the address of the socket.
func (a *admission) Addr() net.Addr { return a.ln.Addr() }

// observe is the ConnState of the http.Server.
func (a *admission) observe(conn net.Conn, state http.ConnState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(a.silent, conn)
	case a.ending:
		conn.Close()
	default:
		a.silent[conn] = true
	}
}

// end closes the connections on which nothing was asked yet: net/http would wait
// seconds for them to ask.
func (a *admission) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ending = true
	for conn := range a.silent {
		conn.Close()
	}
}

// wait returns when every connection that came in is closed.
func (a *admission) wait() { a.sessions.Wait() }

func (a *admission) refuse(conn *net.UnixConn, reason *api.Error) {
	select {
	case a.refused <- struct{}{}:
		a.sessions.Go(func() {
			answerRefused(conn, reason)
			<-a.refused
		})
	default:
		conn.Close()
	}
}

// answerRefused lets the client ask before it is answered, and reads what it
// still sends: an answer to a question not yet asked, or a close with unread
// bytes, would reach some clients as a broken connection instead.
func answerRefused(conn *net.UnixConn, reason *api.Error) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(refuseTimeout))
	if _, err := conn.Read(make([]byte, 512)); err != nil {
		return
	}
	body, err := json.Marshal(api.ErrorAnswer{Error: reason})
	if err != nil {
		panic("BUG: encode refusal: " + err.Error())
	}
	status := statusOf(reason.Code)
	var answer bytes.Buffer
	fmt.Fprintf(&answer, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n",
		status, http.StatusText(status), len(body)+1, body)
	if _, err := conn.Write(answer.Bytes()); err != nil {
		return
	}
	_ = conn.CloseWrite()
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, 2*api.MaxRequestBytes))
}

// session is one served connection; closing it makes room for the next one.
type session struct {
	*net.UnixConn
	admission *admission
	once      sync.Once
}

// Close closes the connection.
func (s *session) Close() error {
	err := s.UnixConn.Close()
	s.once.Do(func() {
		<-s.admission.served
		s.admission.sessions.Done()
	})
	return err
}
