package testtarget

import (
	"bufio"
	"net"
	"strings"

	"github.com/valyala/fasthttp"

	"upfront/internal/load/payload"
	"upfront/internal/load/wsframe"
)

// answerWebSocket takes the connection over when the request asks for a
// WebSocket, and reports whether it did.
func (t *Target) answerWebSocket(ctx *fasthttp.RequestCtx) bool {
	key := ctx.Request.Header.Peek("Sec-WebSocket-Key")
	if !ctx.Request.Header.ConnectionUpgrade() || len(key) == 0 ||
		!strings.EqualFold(string(ctx.Request.Header.Peek("Upgrade")), "websocket") {
		ctx.Error("not a WebSocket handshake", fasthttp.StatusBadRequest)
		return false
	}
	accept := wsframe.AcceptKey(string(key))
	ended := make(chan struct{})
	// fasthttp runs the hijack handler in a goroutine of its own; ours waits
	// for it here, so that Close waits for both.
	t.wait.Go(func() { <-ended })
	raw := ctx.Conn()
	if !t.conns.add(raw) {
		close(ended)
		return false
	}
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(c net.Conn) {
		defer close(ended)
		defer t.counts.ended()
		defer t.conns.remove(raw)
		_, err := c.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Accept: " + accept + "\r\n" + payload.VersionHeader + ": " + t.version + "\r\n\r\n"))
		if err == nil {
			echoFrames(c)
		}
	})
	return true
}

// echoFrames answers every message with itself until either side closes.
func echoFrames(c net.Conn) {
	r := bufio.NewReader(c)
	var out []byte
	for {
		f, err := wsframe.Read(r)
		if err != nil {
			return
		}
		answer := wsframe.Frame{Opcode: f.Opcode, Payload: f.Payload}
		switch f.Opcode {
		case wsframe.Pong:
			continue
		case wsframe.Ping:
			answer.Opcode = wsframe.Pong
		}
		out = wsframe.Append(out[:0], answer)
		if _, err := c.Write(out); err != nil || f.Opcode == wsframe.Close {
			return
		}
	}
}
