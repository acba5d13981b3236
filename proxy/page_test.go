package proxy

import (
	"encoding/json"
	"strings"
	"testing"

	"upfront/service"
)

func TestPage_comesInTheFormThatTheClientAccepts(t *testing.T) {
	r := newRigOf(t, Settings{}, nil, &fixedRoutes{})
	for _, c := range []struct{ accept, wantType, wantText string }{
		{"", "text/plain; charset=utf-8", "404 Not Found\nThere is nothing at this address.\n"},
		{"Accept: */*\r\n", "text/plain; charset=utf-8", "404 Not Found\nThere is nothing at this address.\n"},
		{"Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n", "text/html; charset=utf-8", "<h1>404 Not Found</h1>"},
		{"accept: application/json\r\n", "application/json", `{"status":404,"error":"There is nothing at this address.","request_id":"`},
	} {
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\n" + c.accept + "\r\n")
		res, body := w.receive("GET")
		if got := res.Header.Get("Content-Type"); got != c.wantType || !strings.Contains(body, c.wantText) {
			t.Errorf("%q: got %s: %s", c.accept, got, body)
		}
		if res.Header.Get("Cache-Control") != "no-store" || len(res.Header.Get("X-Request-Id")) != 36 {
			t.Errorf("%q: got head %v", c.accept, res.Header)
		}
		for _, name := range []string{"Server", "Via"} {
			if v := res.Header.Get(name); v != "" {
				t.Errorf("says what we are: %s: %s", name, v)
			}
		}
	}
}

func TestPage_hasNoBodyForHEAD(t *testing.T) {
	r := newRigOf(t, Settings{}, nil, &fixedRoutes{})
	w := r.wire()
	for range 2 {
		w.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
		if res, body := w.receive("HEAD"); res.StatusCode != 404 || body != "" || res.ContentLength <= 0 {
			t.Fatalf("got %d %q, Content-Length %d", res.StatusCode, body, res.ContentLength)
		}
	}
}

func TestPage_escapesTheMessage(t *testing.T) {
	const message = `</p><script>alert("1")</script>` + "\x00\n\"'&"
	svc := newService("127.0.0.1:1")
	svc.Gate = service.NewGate(1)
	svc.Gate.Stop(message)
	r := newRig(t, Settings{}, svc)
	for _, accept := range []string{"text/html", "application/json", "text/plain"} {
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\nAccept: " + accept + "\r\n\r\n")
		res, body := w.receive("GET")
		if res.StatusCode != 503 {
			t.Fatalf("got %d", res.StatusCode)
		}
		switch accept {
		case "text/html":
			if strings.Contains(body, "<script") {
				t.Errorf("got %s", body)
			}
		case "application/json":
			var got map[string]any
			if err := json.Unmarshal([]byte(body), &got); err != nil || got["error"] != message {
				t.Errorf("got %s: %v", body, err)
			}
		}
	}
}

func TestPage_hasASentenceForEveryStatus(t *testing.T) {
	for _, status := range []int{400, 404, 405, 408, 413, 417, 431, 500, 501, 502, 503, 504, 505} {
		p := page{status: status}
		if p.sentence() == "" || strings.HasSuffix(p.title(), " ") {
			t.Errorf("%d has no sentence or title", status)
		}
	}
}
