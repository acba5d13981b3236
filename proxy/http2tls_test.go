package proxy

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// h2tls connects over TLS and agrees on HTTP/2.
func (r *rig) h2tls(settings ...http2.Setting) *h2wire {
	r.t.Helper()
	r.client.NextProtos = []string{"h2"}
	conn := r.dial().(*tlsClient)
	if err := conn.Handshake(); err != nil {
		r.t.Fatalf("handshake: %v", err)
	}
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		r.t.Fatalf("agreed on %q, want h2", got)
	}
	return newH2Wire(r.t, conn, settings...)
}

func TestHTTP2_overTLS(t *testing.T) {
	target, heads := recording(t, ok("hello"))
	r, _ := newTLSRig(t, Settings{}, newService(target.addr), "a")
	w := r.h2tls()
	w.headers(1, true, ":method: GET", ":scheme: https", ":path: /", ":authority: a")
	if a := w.answer(1); a.status != "200" || a.body != "hello" {
		t.Fatalf("got %+v", a)
	}
	if head := next(t, heads); !strings.Contains(head, "X-Forwarded-Proto: https\r\n") {
		t.Errorf("got the head %q, want https in it", head)
	}
	eventually(t, "the log says so", func() bool {
		return strings.Contains(r.log.String(), `"proto":"HTTP/2.0","scheme":"https"`)
	})
	w.get(3, "/") // for a.example
	if a := w.answer(3); a.status == "" {
		t.Errorf("got %+v for another host", a)
	}
}

func TestHTTP2_overTLSIsWhatClientsPrefer(t *testing.T) {
	r, _ := newTLSRig(t, Settings{}, newService(httpTarget(t, mirror)), "a")
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.client.RootCAs, ServerName: "a"}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	for range 3 {
		res, err := client.Post("https://"+r.addr+"/", "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		if body := bodyOf(t, res); body != "body" || res.ProtoMajor != 2 {
			t.Errorf("got %q in %s", body, res.Proto)
		}
	}
}

func TestHTTP2_overTLSEndsPolitely(t *testing.T) {
	r, _ := newTLSRig(t, Settings{IdleTimeout: 50_000_000}, newService(httpTarget(t, mirror)), "a")
	w := r.h2tls()
	w.headers(1, true, ":method: GET", ":scheme: https", ":path: /", ":authority: a")
	w.answer(1)
	if code, said := w.ended(); !said || code != http2.ErrCodeNo {
		t.Errorf("got GOAWAY %v %v, want NO_ERROR", said, code)
	}
}
