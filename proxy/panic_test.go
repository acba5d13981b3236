package proxy

import (
	"io"
	"strings"
	"testing"

	"upfront/service"
)

// trap panics on one path.
type trap struct{ fixedRoutes }

func (r *trap) Match(host, path []byte) (*service.Service, string, bool) {
	if string(path) == "/trap" {
		panic("trapped")
	}
	return r.fixedRoutes.Match(host, path)
}

func TestServer_confinesAPanicToItsConnection(t *testing.T) {
	svc := newService(httpTarget(t, mirror))
	r := newRigOf(t, Settings{}, svc, &trap{fixedRoutes{svc: svc, prefix: "/"}})
	r.panics = 20
	other := r.wire()
	body := strings.Repeat("x", 50_000)
	for range 20 {
		other.send("POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n", body[:25_000])
		w := r.wire()
		w.send("POST /trap HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nleft over")
		if b, _ := io.ReadAll(w.r); len(b) > 0 {
			t.Fatalf("got %q from a request that panicked", b)
		}
		other.send(body[25_000:])
		if res, got := other.receive("POST"); res.StatusCode != 200 || got != body {
			t.Fatalf("another request got %d and %d bytes", res.StatusCode, len(got))
		}
	}
}
