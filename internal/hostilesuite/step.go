package hostilesuite

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// turn is one request that the target has to answer.
type turn struct {
	conn  *net.TCPConn
	r     io.Reader
	token string
	body  string
	uses  int           // requests on this connection before this one
	over  chan struct{} // closed when the case is over
}

// step is a thing that the target does. An error ends the connection.
type step func(*turn) error

var errDone = errors.New("the script is over")

// say sends raw; {token} in it becomes the token of the request.
func say(raw string) step {
	return func(t *turn) error {
		_, err := io.WriteString(t.conn, strings.ReplaceAll(raw, "{token}", t.token))
		return err
	}
}

// sayPieces sends raw in pieces of size bytes, with pauses between.
func sayPieces(raw string, size int, between time.Duration) step {
	return func(t *turn) error {
		rest := strings.ReplaceAll(raw, "{token}", t.token)
		for len(rest) > 0 {
			n := min(size, len(rest))
			if _, err := io.WriteString(t.conn, rest[:n]); err != nil {
				return err
			}
			if rest = rest[n:]; len(rest) > 0 && !t.wait(between) {
				return errDone
			}
		}
		return nil
	}
}

// flood sends raw over and over, in large writes, until the proxy has had enough,
// size bytes were sent, or the case is over.
func flood(raw string, size int) step {
	return func(t *turn) error {
		block := strings.Repeat(raw, max(1, 64<<10/len(raw)))
		for sent := 0; sent < size; sent += len(block) {
			if _, err := io.WriteString(t.conn, block); err != nil {
				return err
			}
			if !t.wait(0) {
				return errDone
			}
		}
		return nil
	}
}

// trickle sends raw over and over, one at a time.
func trickle(raw string, between time.Duration) step {
	return func(t *turn) error {
		for t.wait(between) {
			if _, err := io.WriteString(t.conn, raw); err != nil {
				return err
			}
		}
		return errDone
	}
}

// honest answers as an app should: with the token, and what came as the body.
func honest() step {
	return func(t *turn) error { return say(whole(t.token + " " + t.body))(t) }
}

// whole is a complete answer with a body.
func whole(body string) string {
	n := len(strings.ReplaceAll(body, "{token}", noToken))
	return "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(n) + "\r\n\r\n" + body
}

// poison is an answer that nobody must get.
const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Poison: 1\r\n\r\npoison"

func pause(d time.Duration) step {
	return func(t *turn) error {
		if !t.wait(d) {
			return errDone
		}
		return nil
	}
}

// hang does nothing until the case is over.
func hang() step {
	return func(t *turn) error {
		<-t.over
		return errDone
	}
}

func fin() step { return func(*turn) error { return errDone } }

func rst() step {
	return func(t *turn) error {
		_ = t.conn.SetLinger(0)
		return errDone
	}
}

// ifReused does what then says on a connection that was used before, and answers
// honestly on a new one.
func ifReused(then ...step) step {
	return func(t *turn) error {
		if t.uses == 0 {
			return honest()(t)
		}
		return play(t, then)
	}
}

func play(t *turn, steps []step) error {
	for _, s := range steps {
		if err := s(t); err != nil {
			return err
		}
	}
	return nil
}

// wait reports false when the case was over before d had passed.
func (t *turn) wait(d time.Duration) bool {
	if d <= 0 {
		select {
		case <-t.over:
			return false
		default:
			return true
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-t.over:
		return false
	case <-timer.C:
		return true
	}
}
