package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"upfront/internal/load/payload"
	"upfront/internal/load/wsframe"
)

// errMoved: the proxy ended the WebSocket with 1001, as it may at a drain.
var errMoved = errors.New("moved away with 1001")

// maxMoves in a row without one message answered; more is a failure, because
// nothing can live like that.
const maxMoves = 10

// messagePad makes messages long enough to need the 16-bit length.
var messagePad = strings.Repeat(" and so on", 20)

// socket is one WebSocket.
type socket struct {
	*conn
	version string
}

// echo sends one message and expects it back. A move is no failure: the message
// is sent again on the next WebSocket.
func (w *worker) echo(ctx context.Context) (r result) {
	message := w.nextNonce() + messagePad
	for range maxMoves {
		r = w.echoOnce(ctx, message)
		if !errors.Is(r.err, errMoved) {
			break
		}
		w.g.counts.moved()
	}
	if r.err != nil && w.socket != nil {
		_ = w.socket.Close()
		w.socket = nil
	}
	return r
}

func (w *worker) echoOnce(ctx context.Context, message string) (r result) {
	r.sent = time.Now()
	if w.socket == nil {
		s, err := w.handshake(ctx)
		if err != nil {
			r.err = err
			return r
		}
		w.socket = s
	}
	s := w.socket
	r.port, r.version, r.reused = s.port(), s.version, s.reused
	s.setTimeout(w.g.options.Timeout)
	r.sent = time.Now()
	r.err = s.echo(message)
	s.reused = true
	r.latency, r.bytes = time.Since(r.sent), len(message)
	if errors.Is(r.err, errMoved) {
		_, _ = s.Write(wsframe.Append(nil, wsframe.Frame{Opcode: wsframe.Close, Masked: true, Payload: wsframe.ClosePayload(wsframe.CloseGoingAway, "")}))
		_ = s.Close()
		w.socket = nil
	}
	return r
}

func (w *worker) handshake(ctx context.Context) (*socket, error) {
	const key = "dXBmcm9udC1sb2FkLXRlc3Q="
	w.drop()
	c, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	w.conn = nil
	c.setTimeout(w.g.options.Timeout)
	w.head("GET", payload.WebSocketPath, w.nextNonce(), "",
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+key+"\r\n")
	version, err := c.handshake(w.out, key)
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("open WebSocket: %w", err)
	}
	return &socket{conn: c, version: version}, nil
}

func (c *conn) handshake(out []byte, key string) (version string, err error) {
	if _, err := c.Write(out); err != nil {
		return "", fmt.Errorf("write request: %w", err)
	}
	head, err := readHead(c.r)
	if err != nil {
		return "", err
	}
	if head.status != 101 {
		body, _ := readBody(c.r, head, func() {}) // for the message below only
		return "", fmt.Errorf("answer has status %d: %.200q", head.status, body)
	}
	if got, want := head.fields["sec-websocket-accept"], wsframe.AcceptKey(key); got != want {
		return "", fmt.Errorf("accept key is %q, want %q", got, want)
	}
	if !strings.EqualFold(head.fields["upgrade"], "websocket") || !strings.EqualFold(head.fields["connection"], "upgrade") {
		return "", fmt.Errorf("answer upgrades to %q with Connection %q", head.fields["upgrade"], head.fields["connection"])
	}
	return head.fields[versionField], nil
}

func (s *socket) echo(message string) error {
	// A close frame may have come while we were idle; then nothing is sent. A
	// broken connection shows when it is read.
	var wrote error
	if s.idle() == nil {
		_, wrote = s.Write(wsframe.Append(nil, wsframe.Frame{Opcode: wsframe.Text, Masked: true, Payload: []byte(message)}))
	}
	for {
		f, err := wsframe.Read(s.r)
		if err != nil {
			return errors.Join(fmt.Errorf("read message: ended without a close frame: %w", err), wrote)
		}
		switch {
		case f.Masked:
			return errors.New("read message: masked by the target")
		case f.Opcode == wsframe.Close && f.CloseCode() == wsframe.CloseGoingAway:
			return errMoved
		case f.Opcode == wsframe.Ping:
			_, _ = s.Write(wsframe.Append(nil, wsframe.Frame{Opcode: wsframe.Pong, Masked: true, Payload: f.Payload}))
		case f.Opcode != wsframe.Text:
			return fmt.Errorf("read message: got opcode %d, close code %d", f.Opcode, f.CloseCode())
		case string(f.Payload) != message:
			return fmt.Errorf("read message: got %.60q, want %.60q", f.Payload, message)
		default:
			return nil
		}
	}
}

// finish closes the WebSocket and verifies that the target's close frame and the
// end come back. A move at this moment is fine too.
func (s *socket) finish(timeout time.Duration) error {
	defer func() { _ = s.Close() }()
	s.setTimeout(timeout)
	_, wrote := s.Write(wsframe.Append(nil, wsframe.Frame{Opcode: wsframe.Close, Masked: true, Payload: wsframe.ClosePayload(wsframe.CloseNormal, "")}))
	f, err := wsframe.Read(s.r)
	if err != nil {
		return errors.Join(fmt.Errorf("close WebSocket: no close frame came back: %w", err), wrote)
	}
	if f.Opcode != wsframe.Close {
		return fmt.Errorf("close WebSocket: got opcode %d, want a close frame", f.Opcode)
	}
	if f.CloseCode() == wsframe.CloseGoingAway {
		return nil
	}
	if _, err := s.r.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("close WebSocket: no end after the close frame: %w", err)
	}
	return nil
}
