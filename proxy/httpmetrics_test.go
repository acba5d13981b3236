package proxy

import (
	"strings"
	"testing"
	"time"
)

func TestHTTPMetrics_countByServiceMethodAndStatus(t *testing.T) {
	svc := newService(answering(t, ok("x")).addr)
	svc.UncountedPaths = []string{"/up"}
	r := newRig(t, Settings{}, svc)
	m := NewHTTPMetrics()
	r.server.httpMetrics = m // no client has come yet
	w := r.wire()
	for _, line := range []string{"GET /", "GET /a", "GET /up", "FROB /"} {
		w.send(line + " HTTP/1.1\r\nHost: a\r\n\r\n")
		w.receive("GET")
	}
	want := []string{
		`kamal_proxy_http_requests_total{method="GET",service="web",status="200"} 2`,
		`kamal_proxy_http_requests_total{method="OTHER",service="web",status="200"} 1`,
		`kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="web",status="200",le="+Inf"} 2`,
		`kamal_proxy_http_request_duration_seconds_count{method="GET",service="web",status="200"} 2`,
		`kamal_proxy_http_in_flight_requests{service="web"} 0`,
	}
	// The answer is there before the request is over.
	eventually(t, "all are counted", func() bool {
		text := string(m.AppendText(nil))
		for _, line := range want {
			if !strings.Contains(text, line+"\n") {
				return false
			}
		}
		return true
	})
}

func TestDurations_fallIntoTheFirstBucketThatHoldsThem(t *testing.T) {
	var d durations
	for _, took := range []time.Duration{0, 5 * time.Millisecond, 6 * time.Millisecond, 10 * time.Second, time.Minute} {
		d.add(took)
	}
	for bucket, want := range map[int]uint64{0: 2, 1: 1, 10: 1, 11: 1} {
		if got := d.buckets[bucket].Load(); got != want {
			t.Errorf("bucket %d: got %d, want %d", bucket, got, want)
		}
	}
}

func TestHTTPMetrics_addWithoutAllocation(t *testing.T) {
	m := NewHTTPMetrics()
	key := series{"web", "GET", 200}
	find(&m.mu, &m.series, key)
	if n := testing.AllocsPerRun(100, func() { find(&m.mu, &m.series, key).add(time.Second) }); n > 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}
