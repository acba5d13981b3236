package proxy

import (
	"testing"

	"upfront/service"
)

// answers are the challenges of one host.
type answers map[string]string

func (a answers) Answer(host, path []byte) ([]byte, bool) {
	body, ok := a[string(host)+string(path)]
	return []byte(body), ok
}

func TestChallenge_isAnsweredBeforeTheRouteAndTheGate(t *testing.T) {
	svc := newService(httpTarget(t, mirror))
	r := newRig(t, Settings{}, svc)
	r.server.challenges = answers{"a/.well-known/acme-challenge/x": "x.proof", "b/.well-known/acme-challenge/x": "b.proof"}
	for _, c := range []struct {
		method, host, path string
		state              func()
		status             int
		want               string
	}{
		{"GET", "a", "/.well-known/acme-challenge/x", nil, 200, "x.proof"},
		{"GET", "a", "/.well-known/acme-challenge/other", nil, 200, ""}, // the app's
		{"POST", "a", "/.well-known/acme-challenge/x", nil, 200, ""},
		{"GET", "a", "/.well-known/acme-challenge/x", func() { svc.Gate.Stop("") }, 200, "x.proof"},
		{"GET", "a", "/.well-known/acme-challenge/other", nil, 503, "503"},
		{"GET", "b", "/.well-known/acme-challenge/x", func() { r.server.routes = &fixedRoutes{} }, 200, "b.proof"},
		{"GET", "b", "/.well-known/acme-challenge/other", nil, 404, "404"},
	} {
		if c.state != nil {
			c.state()
		}
		w := r.wire()
		w.send(c.method + " " + c.path + " HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n")
		res, body := w.receive(c.method)
		if res.StatusCode != c.status || len(body) < len(c.want) || body[:len(c.want)] != c.want {
			t.Errorf("%s %s of %s: got %d %q, want %d %q", c.method, c.path, c.host, res.StatusCode, body, c.status, c.want)
		}
		if c.want != "" && c.status == 200 && body != c.want {
			t.Errorf("%s: got %q", c.path, body)
		}
	}
	if state := svc.Gate.State(); state != service.Stopped {
		t.Errorf("gate: got %v", state)
	}
}
