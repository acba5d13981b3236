package target

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestParseRequest(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     request
		err      error
	}{
		{name: "plain", in: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", want: request{size: 27, path: "/"}},
		{name: "query", in: "GET /20k?x=1 HTTP/1.1\r\n\r\nrest", want: request{size: 25, path: "/20k"}},
		{name: "unknown path", in: "GET /up HTTP/1.1\r\n\r\n", want: request{size: 20, path: "/"}},
		{name: "body", in: "POST / HTTP/1.1\r\ncontent-LENGTH: 65536\r\n\r\n", want: request{size: 42, path: "/", body: 65536}},
		{
			name: "WebSocket", in: "GET /echo HTTP/1.1\r\nSec-Websocket-Key: abc==\r\n\r\n",
			want: request{size: 48, path: "/echo", key: "abc=="},
		},
		{name: "last", in: "GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", want: request{size: 37, path: "/", last: true}},
		{name: "in pieces", in: "GET / HTTP/1.1\r\nHost: a\r\n", err: errIncomplete},
		{name: "no request", in: "hello\r\n\r\n", err: errMalformed},
	} {
		got, err := parseRequest([]byte(test.in))
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: got %+v, %v, want %+v, %v", test.name, got, err, test.want, test.err)
		}
	}
}

func TestEchoFrames_unmasksWholeFramesOnly(t *testing.T) {
	mask := []byte{1, 2, 3, 4}
	frame := append([]byte{0x82, 0x80 | 3}, mask...)
	frame = append(frame, 'a'^1, 'b'^2, 'c'^3)
	in := append(bytes.Repeat(frame, 2), frame[:7]...)
	echo, taken := echoFrames(in)
	if got, want := string(echo), "\x82\x03abc\x82\x03abc"; got != want {
		t.Errorf("echo: got %q, want %q", got, want)
	}
	if got, want := taken, 18; got != want {
		t.Errorf("taken: got %d, want %d", got, want)
	}
}

func TestAcceptKey_isThatOfTheRFC(t *testing.T) {
	if got, want := acceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEvent_hasItsSize(t *testing.T) {
	got := event(time.Unix(1800000000, 5))
	if want := "80\r\ndata: 1800000000000000005 "; !bytes.HasPrefix(got, []byte(want)) {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
	if got, want := len(got), len("80\r\n")+EventSize+len("\r\n"); got != want {
		t.Errorf("size: got %d, want %d", got, want)
	}
}
