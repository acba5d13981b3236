package health

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestReadPlain(t *testing.T) {
	tests := []struct {
		name, in string
		code     int
		body     string
		want     finding
	}{
		{"whole", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", plain},
		{"no body", "HTTP/1.1 503 \r\nX: a\tb\r\ncontent-length:0\r\n\r\n", 503, "", plain},
		{"surplus", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500", 200, "ok", plain},
		{"nothing", "", 0, "", unfinished},
		{"part of the head", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", 0, "", unfinished},
		{"part of the body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 0, "", unfinished},
		{"no length", "HTTP/1.1 200 OK\r\n\r\nok", 0, "", odd},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", 0, "", odd},
		{"signed length", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", 0, "", odd},
		{"chunked", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", 0, "", odd},
		{"space in a name", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", 0, "", odd},
		{"folded", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok", 0, "", odd},
		{"bare line feed", "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok", 0, "", odd},
		{"bare return", "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok", 0, "", odd},
		{"interim", "HTTP/1.1 103 Early\r\nContent-Length: 0\r\n\r\n", 0, "", odd},
		{"no content", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", 0, "", odd},
		{"older version", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 0, "", odd},
		{"bad status", "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", 0, "", odd},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, got := readPlain([]byte(tt.in))
			if got != tt.want || got == plain && (a.code != tt.code || string(a.body) != tt.body) {
				t.Errorf("got %d, %q, finding %d; want %d, %q, finding %d", a.code, a.body, got, tt.code, tt.body, tt.want)
			}
		})
	}
}

// FuzzReadPlain holds that what is judged the quick way is what the client would read.
func FuzzReadPlain(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: now\r\n\r\nok"))
	f.Add([]byte("HTTP/1.1 503 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 02\r\nContent-Type: a\r\n\r\nokok"))
	f.Fuzz(func(t *testing.T, in []byte) {
		a, found := readPlain(in)
		if found != plain {
			return
		}
		var response fasthttp.Response
		if err := response.Read(bufio.NewReader(bytes.NewReader(in))); err != nil {
			t.Fatalf("%q: the client says %v", in, err)
		}
		if response.StatusCode() != a.code || !bytes.Equal(response.Body(), a.body) {
			t.Errorf("%q: got %d, %q, the client %d, %q", in, a.code, a.body, response.StatusCode(), response.Body())
		}
	})
}

func TestReadPlain_allocatesNothing(t *testing.T) {
	in := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nX-Request-Id: 0123456789abcdef\r\nContent-Length: 2\r\n\r\nok")
	if n := testing.AllocsPerRun(100, func() { readPlain(in) }); n > 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
