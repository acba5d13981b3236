package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// requestLog is the request lines that a target saw.
type requestLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *requestLog) add(head string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line, _, _ := strings.Cut(head, "\r\n")
	l.lines = append(l.lines, line)
}

func (l *requestLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, ", ")
}

// inBody is what must stay a body whatever becomes of its own request.
const inBody = "GET /smuggled HTTP/1.1\r\nHost: a\r\nX-Pad: "

// answeringEarly is a target that notes each request, answers a POST with early
// before its body came and resets, and any GET as it should. With no early it only
// reads.
func answeringEarly(t *testing.T, early string, seen *requestLog, heads chan<- struct{}) *rawTarget {
	return newRawTarget(t, func(conn net.Conn, r *bufio.Reader) {
		head, err := readHead(r)
		if err != nil {
			return
		}
		seen.add(head)
		heads <- struct{}{}
		switch {
		case strings.HasPrefix(head, "GET"):
			_, _ = io.WriteString(conn, ok("next"))
		case early != "":
			_, _ = io.WriteString(conn, early)
			_ = conn.(*net.TCPConn).SetLinger(0)
		default:
			_, _ = io.Copy(io.Discard, r)
		}
	})
}

func TestServer_neverReadsTheBodyOfAFailedUploadAsARequest(t *testing.T) {
	for _, c := range []struct {
		name   string
		limit  int64
		framed string // of the request head
		early  string // what the target answers before it resets; empty: nothing, and no reset
		rest   string // what the client sends once the target has the head
	}{
		{
			"the target resets", 0, fmt.Sprintf("Content-Length: %d", len(inBody)+4), ok("early"),
			inBody + "\r\n\r\n",
		},
		{
			"the target resets a chunked body", 0, "Transfer-Encoding: chunked", ok("early"),
			fmt.Sprintf("%x\r\n%s\r\n\r\n\r\n0\r\n\r\n", len(inBody)+4, inBody),
		},
		{
			"the body is too large", 10, "Transfer-Encoding: chunked", "",
			fmt.Sprintf("%x\r\n%s\r\n\r\n\r\n0\r\n\r\n", len(inBody)+4, inBody),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen requestLog
			heads := make(chan struct{}, 8)
			target := answeringEarly(t, c.early, &seen, heads)
			svc := newService(target.addr)
			svc.MaxRequestBody = c.limit
			r := newRig(t, Settings{}, svc)
			w := r.wire()
			w.send("POST / HTTP/1.1\r\nHost: a\r\n" + c.framed + "\r\n\r\n")
			next(t, heads)
			if c.early != "" {
				w.receive("POST")
			}
			w.send(c.rest, "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			_, _ = io.ReadAll(w.r)
			if got := seen.String(); got != "POST / HTTP/1.1" && got != "POST / HTTP/1.1, GET /next HTTP/1.1" {
				t.Errorf("the target saw %s", got)
			}
			if n := r.server.counters.BadRequests.Load(); n != 0 {
				t.Errorf("%d parts of a body were refused as requests", n)
			}
		})
	}
}
