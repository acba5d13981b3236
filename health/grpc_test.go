package health

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

func TestGRPCProber(t *testing.T) {
	message := func(body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nGrpc-Status: 0\r\n\r\n", len(body), body)
	}
	trailersOnly := func(fields string) string {
		return "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n" + fields + "Content-Length: 0\r\n\r\n"
	}
	const asked = "POST " + GRPCPath + ": "
	for _, test := range []struct{ name, answer, want string }{
		{"serving", message("\x00\x00\x00\x00\x02\x08\x01"), asked + "200"},
		{"not serving", message("\x00\x00\x00\x00\x02\x08\x02"), asked + "NOT_SERVING"},
		{"unknown", message("\x00\x00\x00\x00\x00"), asked + "UNKNOWN"},
		{"later status", message("\x00\x00\x00\x00\x02\x08\x09"), asked + "status 9"},
		{"compressed", message("\x01\x00\x00\x00\x02\x08\x01"), asked + "not a gRPC answer"},
		{"no such service", trailersOnly("Grpc-Status: 5\r\nGrpc-Message: unknown%20service\r\n"), asked + "grpc-status 5: unknown service"},
		{"no health", trailersOnly("Grpc-Status: 12\r\n"), asked + "the target does not serve grpc.health.v1.Health"},
		{"no gRPC", answer(200, "ok"), asked + "not a gRPC answer"},
		{"error", answer(503, ""), asked + "503 (expected 200)"},
		{"nothing", "", asked + "connection closed without an answer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var head string
			address := listenRaw(t, "127.0.0.1:0", func(conn net.Conn) {
				for b := make([]byte, 1); !strings.HasSuffix(head, "\r\n\r\n"); head += string(b) {
					if _, err := io.ReadFull(conn, b); err != nil {
						return
					}
				}
				body := make([]byte, grpcFrame+2+len("a.B"))
				_, _ = io.ReadFull(conn, body)
				if string(body) != "\x00\x00\x00\x00\x05\x0a\x03a.B" {
					t.Errorf("asked %q", body)
				}
				_, _ = io.WriteString(conn, test.answer)
			})
			name := "a.B"
			o := Options{Address: address, GRPC: &name}.withDefaults()
			got, _ := newGRPCProber(o).Probe(t.Context(), false)
			if got.String() != test.want || got.OK != strings.HasSuffix(test.want, ": 200") {
				t.Errorf("got %q, OK %v, want %q", got, got.OK, test.want)
			}
			if !strings.Contains(head, "Te: trailers\r\n") || !strings.Contains(head, "Content-Type: application/grpc\r\n") {
				t.Errorf("asked with the head %q", head)
			}
		})
	}
}
