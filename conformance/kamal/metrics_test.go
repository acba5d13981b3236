package kamal

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

func TestBehaviour_metrics(t *testing.T) {
	p := startProxyWith(t, "--metrics-port", freePort(t))
	entered, release := make(chan struct{}, 1), make(chan struct{})
	app := startTarget(t, "", func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			entered <- struct{}{}
			<-release
		}
	})
	p.deploy("web", app.address, "--host", "a.test", "--exclude-metrics-path", "/quiet")
	p.want("a.test", "/", 200)
	p.want("a.test", "/quiet", 200)
	p.want("none.test", "/", 404)
	p.ask("FROB", "a.test", "/")
	slow := make(chan answer, 1)
	go func() { slow <- p.ask("GET", "a.test", "/slow") }()
	<-entered
	metrics := func() string {
		return ask(context.Background(), "127.0.0.1:"+p.flags[1], "GET", "x", "/metrics", nil).body
	}
	want := []string{
		"# TYPE kamal_proxy_http_requests_total counter",
		`kamal_proxy_http_requests_total{method="GET",service="web",status="200"} 1`,
		`kamal_proxy_http_requests_total{method="GET",service="",status="404"} 1`,
		`kamal_proxy_http_requests_total{method="OTHER",service="web",status="200"} 1`,
		"# TYPE kamal_proxy_http_request_duration_seconds histogram",
		`kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="web",status="200",le="0.005"} `,
		`kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="web",status="200",le="+Inf"} 1`,
		`kamal_proxy_http_request_duration_seconds_count{method="GET",service="web",status="200"} 1`,
		`kamal_proxy_http_request_duration_seconds_sum{method="GET",service="web",status="200"} `,
		"# TYPE kamal_proxy_http_in_flight_requests gauge",
		`kamal_proxy_http_in_flight_requests{service="web"} 1`,
		"go_goroutines ",
	}
	for _, line := range want {
		eventually(t, "metrics say "+line, func() bool { return strings.Contains(metrics(), line) })
	}
	close(release)
	if got := <-slow; got.status != 200 {
		t.Errorf("the slow request: got %d, %v", got.status, got.err)
	}
	eventually(t, "nothing is in flight", func() bool { return strings.Contains(metrics(), `in_flight_requests{service="web"} 0`) })
}
