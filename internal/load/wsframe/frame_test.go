package wsframe

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func TestRead_returnsWhatAppendWrote(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, MaxPayload} {
		for _, masked := range []bool{false, true} {
			want := Frame{Opcode: Binary, Masked: masked, Payload: bytes.Repeat([]byte("ab~"), size)[:size]}
			r := bufio.NewReader(bytes.NewReader(Append(nil, want)))
			got, err := Read(r)
			if err != nil {
				t.Fatalf("Read(%d bytes, masked %v): %v", size, masked, err)
			}
			if got.Opcode != want.Opcode || got.Masked != masked || !bytes.Equal(got.Payload, want.Payload) {
				t.Errorf("Read(%d bytes, masked %v) returned another frame", size, masked)
			}
			if _, err := Read(r); !errors.Is(err, io.EOF) {
				t.Errorf("Read at the end = %v, want io.EOF", err)
			}
		}
	}
}

func TestRead_refusesDamage(t *testing.T) {
	whole := Append(nil, Frame{Opcode: Text, Masked: true, Payload: []byte("hello")})
	for n := 1; n < len(whole); n++ {
		if _, err := Read(bufio.NewReader(bytes.NewReader(whole[:n]))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Read of %d of %d bytes = %v, want unexpected EOF", n, len(whole), err)
		}
	}
	for _, wire := range []string{"\x01\x00", "\x83\x00", "\xc1\x00", "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if _, err := Read(bufio.NewReader(strings.NewReader(wire))); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Read(%q) = %v, want a refusal", wire, err)
		}
	}
}

// Our frames must be WebSocket as others speak it, not only as we do.
func TestFrames_areUnderstoodByAnotherImplementation(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		kind, message, err := c.Read(t.Context())
		if err == nil {
			err = c.Write(t.Context(), kind, message)
		}
		if err == nil {
			_ = c.Close(websocket.StatusGoingAway, "moved")
		}
	}))
	defer ts.Close()
	conn, err := net.Dial("tcp", ts.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+key+"\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, want := AcceptKey(key), resp.Header.Get("Sec-WebSocket-Accept"); got != want {
		t.Errorf("AcceptKey = %q, want %q", got, want)
	}
	_, _ = conn.Write(Append(nil, Frame{Opcode: Text, Masked: true, Payload: []byte("hello")}))
	f, err := Read(r)
	if err != nil || string(f.Payload) != "hello" {
		t.Fatalf("echo = %q, %v, want hello", f.Payload, err)
	}
	f, err = Read(r)
	if err != nil || f.Opcode != Close || f.CloseCode() != CloseGoingAway {
		t.Fatalf("close = %+v, %v, want 1001", f, err)
	}
	_, _ = conn.Write(Append(nil, Frame{Opcode: Close, Masked: true, Payload: ClosePayload(CloseGoingAway, "")}))
}
