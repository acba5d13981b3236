package proxy

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// HTTPMetrics are what kamal-proxy says of requests, under its names, so that
// dashboards survive a change of proxy. A request never waits for them, but for the
// first of its kind, and costs them no allocation.
type HTTPMetrics struct {
	series  atomic.Pointer[map[series]*durations]    // replaced whole under mu
	flights atomic.Pointer[map[string]*atomic.Int64] // by service; replaced whole under mu
	mu      sync.Mutex
}

// series is the labels of one.
type series struct {
	service, method string
	status          int
}

// bucketBounds are in seconds: the ones that Prometheus' clients have by default.
var bucketBounds = [...]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// durations is a histogram; the last bucket has what is in none.
type durations struct {
	buckets [len(bucketBounds) + 1]atomic.Uint64
	sum     atomic.Int64 // nanoseconds
}

func (d *durations) add(took time.Duration) {
	bucket := 0
	for bucket < len(bucketBounds) && took.Seconds() > bucketBounds[bucket] {
		bucket++
	}
	d.buckets[bucket].Add(1)
	d.sum.Add(int64(took))
}

// NewHTTPMetrics returns metrics of no request.
func NewHTTPMetrics() *HTTPMetrics {
	m := &HTTPMetrics{}
	m.series.Store(&map[series]*durations{})
	m.flights.Store(&map[string]*atomic.Int64{})
	return m
}

// find returns the value of key in the table, and makes it when it is the first.
func find[K comparable, V any](mu *sync.Mutex, table *atomic.Pointer[map[K]*V], key K) *V {
	if v := (*table.Load())[key]; v != nil {
		return v
	}
	mu.Lock()
	defer mu.Unlock()
	if v := (*table.Load())[key]; v != nil {
		return v
	}
	next := maps.Clone(*table.Load())
	next[key] = new(V)
	table.Store(&next)
	return next[key]
}

// board counts the request among those in flight, from its first route on.
func (x *exchange) board() {
	m := x.c.server.httpMetrics
	if m == nil || x.flight != nil || x.uncounted() {
		return
	}
	x.flight = find(&m.mu, &m.flights, x.svc.Name)
	x.flight.Add(1)
}

// land is the end of board.
func (x *exchange) land() {
	if x.flight != nil {
		x.flight.Add(-1)
		x.flight = nil
	}
}

// measure adds the request, which is over.
func (x *exchange) measure() {
	x.land()
	m := x.c.server.httpMetrics
	if m == nil || x.uncounted() {
		return
	}
	name := ""
	if x.svc != nil {
		name = x.svc.Name
	}
	find(&m.mu, &m.series, series{name, knownMethod(x.c.req.Method), x.status}).add(time.Since(x.start))
}

// knownMethod keeps clients from making up labels.
func knownMethod(method []byte) string {
	for _, known := range [...]string{"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"} {
		if string(method) == known {
			return known
		}
	}
	return "OTHER"
}

const (
	requestsMetric  = "kamal_proxy_http_requests_total"
	durationsMetric = "kamal_proxy_http_request_duration_seconds"
	flightsMetric   = "kamal_proxy_http_in_flight_requests"
)

// AppendText appends them in Prometheus' text format.
func (m *HTTPMetrics) AppendText(b []byte) []byte {
	all := *m.series.Load()
	keys := slices.SortedFunc(maps.Keys(all), func(a, b series) int {
		return cmp.Or(cmp.Compare(a.service, b.service), cmp.Compare(a.method, b.method), cmp.Compare(a.status, b.status))
	})
	var requests []byte
	requests = appendHead(requests, requestsMetric, "counter", "HTTP requests answered.")
	b = appendHead(b, durationsMetric, "histogram", "How long HTTP requests took.")
	for _, key := range keys {
		labels := key.append(nil)
		count := uint64(0)
		for i := range all[key].buckets {
			count += all[key].buckets[i].Load()
			bound := "+Inf"
			if i < len(bucketBounds) {
				bound = strconv.FormatFloat(bucketBounds[i], 'g', -1, 64)
			}
			b = append(append(append(b, durationsMetric+"_bucket{"...), labels...), `,le="`...)
			b = strconv.AppendUint(append(append(b, bound...), `"} `...), count, 10)
			b = append(b, '\n')
		}
		b = append(append(append(b, durationsMetric+"_sum{"...), labels...), "} "...)
		b = strconv.AppendFloat(b, time.Duration(all[key].sum.Load()).Seconds(), 'g', -1, 64)
		b = append(append(append(b, "\n"+durationsMetric+"_count{"...), labels...), "} "...)
		b = append(strconv.AppendUint(b, count, 10), '\n')
		requests = append(append(append(requests, requestsMetric+"{"...), labels...), "} "...)
		requests = append(strconv.AppendUint(requests, count, 10), '\n')
	}
	b = appendHead(append(b, requests...), flightsMetric, "gauge", "HTTP requests under way.")
	flights := *m.flights.Load()
	for _, name := range slices.Sorted(maps.Keys(flights)) {
		b = append(strconv.AppendQuote(append(b, flightsMetric+"{service="...), name), "} "...)
		b = append(strconv.AppendInt(b, flights[name].Load(), 10), '\n')
	}
	return b
}

// append writes the labels in the order in which Prometheus' clients do.
func (s series) append(b []byte) []byte {
	b = strconv.AppendQuote(append(b, "method="...), s.method)
	b = strconv.AppendQuote(append(b, ",service="...), s.service)
	return strconv.AppendQuote(append(b, ",status="...), strconv.Itoa(s.status))
}

func appendHead(b []byte, name, kind, help string) []byte {
	return append(b, "# HELP "+name+" "+help+"\n# TYPE "+name+" "+kind+"\n"...)
}
