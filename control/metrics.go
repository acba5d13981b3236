package control

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// metricsType is the content type of Prometheus' text format.
const metricsType = "text/plain; version=0.0.4; charset=utf-8"

func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) error {
	writeBody(w, http.StatusOK, metricsType, metricsText(s.daemon.Counters()))
	return nil
}

// MetricsHandler answers every request with counters, in Prometheus' text format, and
// with what more appends to them; nil is nothing.
func MetricsHandler(counters func() map[string]uint64, more func([]byte) []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text := metricsText(counters())
		if more != nil {
			text = more(text)
		}
		writeBody(w, http.StatusOK, metricsType, text)
	})
}

// metricsText is counters in Prometheus' text format, ordered by name. The labels
// are part of the key; the series of one metric share one TYPE line.
func metricsText(counters map[string]uint64) []byte {
	series := slices.SortedFunc(maps.Keys(counters), func(a, b string) int {
		nameA, labelsA, _ := strings.Cut(a, "{")
		nameB, labelsB, _ := strings.Cut(b, "{")
		// By metric first: "{" sorts after "_", which would tear a metric apart.
		if c := strings.Compare(nameA, nameB); c != 0 {
			return c
		}
		return strings.Compare(labelsA, labelsB)
	})
	var text bytes.Buffer
	last := ""
	for _, key := range series {
		name, _, _ := strings.Cut(key, "{")
		if name != last {
			kind := "gauge"
			if strings.HasSuffix(name, "_total") {
				kind = "counter"
			}
			fmt.Fprintf(&text, "# TYPE %s %s\n", name, kind)
			last = name
		}
		fmt.Fprintf(&text, "%s %d\n", key, counters[key])
	}
	return text.Bytes()
}
