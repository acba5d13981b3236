package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http/httputil"
	"time"

	"upfront/internal/load/payload"
	"upfront/internal/load/wsframe"
)

// stop is `kamal proxy stop`, `details` and `start`, while clients do not let go. Docker
// kills what takes longer than 10 s, which the exit status tells.
func (h *kamalHost) stop() {
	h.t.Helper()
	const requestOf = " HTTP/1.1\r\nHost: app.test\r\n"
	socket := h.open("GET " + payload.WebSocketPath + requestOf + "Connection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n") // answers no close frame
	h.open("GET " + payload.AnswerPath + "?size=64000000" + requestOf + "\r\n")       // is read no further
	h.open("GET " + payload.StreamPath + "?ms=60000&pieces=600" + requestOf + "\r\n") // has no end
	began := time.Now()
	h.do("docker container stop kamal-proxy")
	took := time.Since(began)
	exit := h.do("docker inspect kamal-proxy --format '{{.State.ExitCode}}'")
	h.t.Logf("stop with clients that do not let go: %v, exit status %s", took.Round(time.Millisecond), exit)
	if exit != "0" {
		h.t.Errorf("the proxy ended with %s, want 0: 137 is Docker's kill after 10 s", exit)
	}
	if frame, err := wsframe.Read(socket); err != nil || frame.Opcode != wsframe.Close || frame.CloseCode() != wsframe.CloseGoingAway {
		h.t.Errorf("the WebSocket got %+v, %v, want a close frame 1001", frame, err)
	}
	h.do("docker container start kamal-proxy")
	h.untilUp()
	h.do("docker ps --filter 'name=^kamal-proxy$'")
	h.do("docker logs kamal-proxy --tail 10 --timestamps 2>&1")
	h.want("app", 200, "v1")
}

// open sends a request and reads the head of its answer.
func (h *kamalHost) open(request string) *bufio.Reader {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, request); err != nil {
		h.t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	for {
		switch line, err := r.ReadString('\n'); {
		case err != nil:
			h.t.Fatalf("%q: %v", request, err)
		case line == "\r\n":
			return r
		}
	}
}

// stopApp is `kamal app stop`: what is in flight then is answered whole.
func (h *kamalHost) stopApp() {
	h.t.Helper()
	answer := h.open("GET " + payload.StreamPath + "?ms=2000&pieces=20 HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
	h.silently("docker exec kamal-proxy kamal-proxy remove app-web")
	h.do("docker container ls --all --filter 'name=^app-web-v1$' --quiet | xargs docker stop")
	if n, err := io.Copy(io.Discard, httputil.NewChunkedReader(answer)); err != nil || n == 0 {
		h.t.Errorf("an answer was cut by the stop of its app, behind %d bytes: %v", n, err)
	}
	h.want("app", 404, "")
}
