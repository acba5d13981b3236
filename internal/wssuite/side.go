package wssuite

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// side is one end of a connection: the client's, or the target's.
type side struct {
	net.Conn
	name string
	r    *bufio.Reader
	head string // of the request, at the target
}

func newSide(name string, conn net.Conn, r *bufio.Reader, head string) *side {
	_ = conn.SetDeadline(time.Now().Add(Limit))
	if r == nil {
		r = bufio.NewReader(conn)
	}
	return &side{Conn: conn, name: name, r: r, head: head}
}

// send writes all pieces, each at once.
func (s *side) send(pieces ...string) {
	for _, piece := range pieces {
		if _, err := io.WriteString(s, piece); err != nil {
			failf("%s could not send its %d bytes: %v", s.name, len(piece), plain(err))
		}
	}
}

// want reads what must come next, byte for byte.
func (s *side) want(what string) {
	got := make([]byte, min(len(what), 64<<10))
	for done := 0; done < len(what); {
		n, err := io.ReadFull(s.r, got[:min(len(got), len(what)-done)])
		for at := range n {
			if got[at] != what[done+at] {
				failf("%s got %s, want %s (byte %d)", s.name, short(got[at:n]), short([]byte(what[done+at:])), done+at)
			}
		}
		if done += n; err != nil {
			failf("%s got %d of %d bytes, then %v", s.name, done, len(what), plain(err))
		}
	}
}

// pass sends all pieces to another side, which must get them as they are.
func (s *side) pass(to *side, pieces ...string) {
	together(func() { s.send(pieces...) }, func() { to.want(strings.Join(pieces, "")) })
}

// ends reads the end of the connection, which must not be a reset.
func (s *side) ends() {
	rest, err := io.ReadAll(s.r)
	if len(rest) > 0 {
		failf("%s got %s, want the end", s.name, short(rest))
	}
	if err != nil {
		failf("%s got %v, want a clean end", s.name, plain(err))
	}
}

// isGone waits for the end of the connection, by FIN or reset, for no longer than
// limit. What still arrives is dropped.
func (s *side) isGone(limit time.Duration) {
	_ = s.SetReadDeadline(time.Now().Add(limit))
	_, err := io.Copy(io.Discard, s.r)
	_ = s.SetReadDeadline(time.Now().Add(Limit))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		failf("%s saw no end within %v", s.name, limit)
	}
}

// isOpen checks that the connection has not ended and nothing came, for a moment.
func (s *side) isOpen(moment time.Duration) {
	_ = s.SetReadDeadline(time.Now().Add(moment))
	b, err := s.r.Peek(1)
	_ = s.SetReadDeadline(time.Now().Add(Limit))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		failf("%s got %s %v, want silence", s.name, short(b), plain(err))
	}
}

// closeWrite ends the half of the side: a FIN.
func (s *side) closeWrite() {
	if tcp, ok := s.Conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}

// reset ends the connection with a RST.
func (s *side) reset() {
	if tcp, ok := s.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = s.Close()
}

// response reads the head of the next response.
func (s *side) response() string {
	head, err := readHead(s.r)
	if err != nil {
		failf("%s got %s instead of a response, then %v", s.name, short([]byte(head)), plain(err))
	}
	return head
}

// switched reads a 101.
func (s *side) switched() string {
	head := s.response()
	if !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		failf("%s got %q, want 101", s.name, firstLine(head))
	}
	return head
}

// answered reads a response that is no 101, with its body.
func (s *side) answered() (status int, body string) {
	res, err := http.ReadResponse(s.r, nil)
	if err != nil {
		failf("%s got no response: %v", s.name, plain(err))
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return 101, ""
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		failf("%s got status %d and a body that broke off: %v", s.name, res.StatusCode, plain(err))
	}
	return res.StatusCode, string(b)
}

// refused reads a 502.
func (s *side) refused() {
	if status, _ := s.answered(); status != 502 {
		failf("%s got status %d, want 502", s.name, status)
	}
}

// has checks that a head has lines, as they are.
func has(head string, lines ...string) {
	for _, line := range lines {
		if !strings.Contains(head, "\r\n"+line) {
			failf("a head lacks %q", strings.TrimSpace(line))
		}
	}
}

// hasAnyCase does the same whatever the case of the names.
func hasAnyCase(head string, lines ...string) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		if !strings.Contains(head, value) || !strings.Contains(strings.ToLower(head), strings.ToLower("\r\n"+name+":")) {
			failf("a head lacks %q", strings.TrimSpace(line))
		}
	}
}

// lacks checks that a head does not have words in it, in any case.
func lacks(head string, words ...string) {
	_, fields, _ := strings.Cut(head, "\r\n")
	for _, word := range words {
		if strings.Contains(strings.ToLower("\r\n"+fields), word) {
			failf("the target was shown %q", word)
		}
	}
}

func firstLine(head string) string {
	line, _, _ := strings.Cut(head, "\r\n")
	return line
}

// short is b for people.
func short(b []byte) string {
	if len(b) == 0 {
		return "nothing"
	}
	if n := min(len(b), 24); n < len(b) {
		return fmt.Sprintf("%q… (%d bytes)", b[:n], len(b))
	}
	return fmt.Sprintf("%q", bytes.TrimSpace(b))
}

// plain is an error without addresses.
func plain(err error) error {
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("nothing more in time")
	case errors.As(err, &op):
		return op.Err
	}
	return err
}
