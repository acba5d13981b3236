package proxy

import (
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"upfront/service"
)

// line waits for the only access-log line and decodes it.
func (r *rig) line() (raw string, fields map[string]any) {
	r.t.Helper()
	eventually(r.t, "a line is written", func() bool { return strings.HasSuffix(r.log.String(), "\n") })
	raw = r.log.String()
	if strings.Count(raw, "\n") != 1 {
		r.t.Fatalf("got more than one line:\n%s", raw)
	}
	if err := json.Unmarshal([]byte(raw), &fields); err != nil {
		r.t.Fatalf("decode %q: %v", raw, err)
	}
	return raw, fields
}

func TestAccessLog_hasTheKeysOfKamalProxy(t *testing.T) {
	target := answering(t, ok("hello"))
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("POST /a/b?q=1&r HTTP/1.1\r\nHost: App.test:8080\r\nUser-Agent: curl/8\r\nContent-Type: text/csv\r\nContent-Length: 2\r\nX-Forwarded-For: 6.6.6.6\r\n\r\nhi")
	w.receive("POST")
	raw, got := r.line()
	_, port, _ := net.SplitHostPort(r.addr)
	_, clientPort, _ := net.SplitHostPort(w.LocalAddr().String())
	want := map[string]any{
		"level": "INFO", "msg": "Request", "host": "App.test", "port": port, "path": "/a/b",
		"status": 200.0, "service": "web", "target": target.addr, "method": "POST",
		"req_content_length": 2.0, "req_content_type": "text/csv", "resp_content_length": 5.0, "resp_content_type": "text/plain",
		"client_addr": "127.0.0.1", "client_port": clientPort, "remote_addr": "127.0.0.1", "user_agent": "curl/8",
		"proto": "HTTP/1.1", "scheme": "http", "query": "q=1&r",
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %v, want %v", key, got[key], value)
		}
	}
	for key := range got {
		if _, known := want[key]; !known && key != "time" && key != "request_id" && key != "duration" {
			t.Errorf("%s is no key of kamal-proxy", key)
		}
	}
	if _, err := time.Parse(time.RFC3339Nano, got["time"].(string)); err != nil {
		t.Error(err)
	}
	if d := got["duration"].(float64); d <= 0 || d > 10e9 {
		t.Errorf("duration is %v ns", d)
	}
	if len(got["request_id"].(string)) != 36 {
		t.Errorf("request_id is %v", got["request_id"])
	}
	if !strings.HasPrefix(raw, `{"level":"INFO","time":"`) {
		t.Errorf("got %s", raw)
	}
}

// The headers that a service names are shown as kamal-proxy shows them.
func TestAccessLog_showsTheHeadersThatAServiceNames(t *testing.T) {
	target := answering(t, "HTTP/1.1 200 OK\r\nX-Cache: HIT\r\nX-Gone: 1\r\nx-cache: \"a\"\r\nContent-Length: 0\r\n\r\n")
	for _, c := range []struct {
		path string
		want map[string]any
	}{
		{"/a", map[string]any{"req_user_agent": "curl/8", "req_x_two": "a,b", "req_none": "", "resp_x_cache": `HIT,"a"`, "resp_none": ""}},
		{"/up", map[string]any{"req_user_agent": "curl/8", "req_x_two": "a,b", "req_none": "", "resp_x_cache": "", "resp_none": ""}},
	} {
		svc := newService(target.addr)
		svc.LogRequestHeaders = service.LoggedHeaders("req", []string{"User-Agent", "X-Two", "None"})
		svc.LogResponseHeaders = service.LoggedHeaders("resp", []string{"X-Cache", "None"})
		svc.HealthPaths = []string{"/up"}
		r := newRig(t, Settings{}, svc)
		if c.path == "/up" {
			svc.Gate.Stop("") // what answers is the proxy
		}
		w := r.wire()
		w.send("GET " + c.path + " HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/8\r\nX-Two: a\r\nx-two: b\r\n\r\n")
		w.receive("GET")
		_, got := r.line()
		for key, value := range c.want {
			if got[key] != value {
				t.Errorf("%s: %s is %v, want %v", c.path, key, got[key], value)
			}
		}
		if _, there := got["resp_x_gone"]; there {
			t.Errorf("%s: a header is shown that nobody asked for", c.path)
		}
	}
}

func TestAccessLog_tellsHowARequestFailed(t *testing.T) {
	for _, c := range []struct {
		name, request string
		routes        bool
		status        float64
		err           string
	}{
		{"no route", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, 404, "no service for this host and path"},
		{"refused", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, 502, "connection refused"},
		{"no request", "GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n", true, 400, "malformed field name"},
		{"nothing like it", "\x16\x03\x01\x02\x00\x01", true, 400, "malformed request line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc := newService(deadAddress)
			routes := &fixedRoutes{prefix: "/"}
			if c.routes {
				routes.svc = svc
			}
			r := newRigOf(t, Settings{}, svc, routes)
			w := r.wire()
			w.send(c.request)
			w.receive("")
			_ = w.Close()
			_, got := r.line()
			if got["status"] != c.status || !strings.Contains(got["error"].(string), c.err) {
				t.Errorf("got status %v and error %q", got["status"], got["error"])
			}
			if len(got["request_id"].(string)) != 36 {
				t.Errorf("request_id is %q", got["request_id"])
			}
		})
	}
}

func TestAccessLog_survivesHostileBytes(t *testing.T) {
	r := newRig(t, Settings{}, newService(answering(t, ok("x")).addr))
	w := r.wire()
	w.send("GET /\"}{\\x?a=\"\\u0000 HTTP/1.1\r\nHost: a\r\nUser-Agent: \"\\\",\"status\":\"1\t\xff\xfe\xe2\x80\xa8</script>\r\n\r\n")
	res, _ := w.receive("GET")
	raw, got := r.line()
	if got["status"] != float64(res.StatusCode) {
		t.Errorf("status is %v, want %d", got["status"], res.StatusCode)
	}
	if strings.ContainsAny(raw[:len(raw)-1], "\n\r\t\x00") {
		t.Errorf("line has control bytes: %q", raw)
	}
}

func TestAccessLog_believesOnlyTrustedProxies(t *testing.T) {
	for _, c := range []struct{ trusted, header, want string }{
		{"", "6.6.6.6", "127.0.0.1"},
		{"127.0.0.0/8", "6.6.6.6", "6.6.6.6"},
		{"127.0.0.0/8", "6.6.6.6, 7.7.7.7", "7.7.7.7"},
		{"0.0.0.0/0", "6.6.6.6, 7.7.7.7", "6.6.6.6"},
		{"127.0.0.0/8", "nonsense", "127.0.0.1"},
		{"127.0.0.0/8", "6.6.6.6, nonsense", "127.0.0.1"},
		{"127.0.0.0/8", "", "127.0.0.1"},
	} {
		var settings Settings
		if c.trusted != "" {
			settings.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(c.trusted)}
		}
		r := newRig(t, settings, newService(answering(t, ok("x")).addr))
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " + c.header + "\r\n\r\n")
		w.receive("GET")
		if _, got := r.line(); got["remote_addr"] != c.want || got["client_addr"] != "127.0.0.1" {
			t.Errorf("%q trusted, %q sent: remote_addr is %v, want %v", c.trusted, c.header, got["remote_addr"], c.want)
		}
	}
}
