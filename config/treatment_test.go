package config

import (
	"reflect"
	"strings"
	"testing"

	"upfront/api"
)

func TestParse_treatment(t *testing.T) {
	file, err := Parse("p.yml", []byte(`services:
  web:
    targets: [a:1]
    read_targets: [b:1, {address: "c:1", weight: 2}]
    writer_affinity_timeout: off
    read_target_websockets: true
    forward_headers: false
    client_ip_header: CF-Connecting-IP
    scope_cookie_paths: true
    log_request_headers: [A, B]
    log_response_headers: C
    exclude_metrics_paths: /up
    publish_health_check: true
`))
	if err != nil {
		t.Fatal(err)
	}
	got := file.Services[0]
	want := api.Spec{
		WriterAffinityTimeout: -1, ReadTargetWebSockets: true, ForwardHeaders: new(false), ClientIPHeader: "CF-Connecting-IP",
		ScopeCookiePaths: true, LogRequestHeaders: []string{"A", "B"}, LogResponseHeaders: []string{"C"},
		ExcludeMetricsPaths: []string{"/up"}, PublishHealthCheck: true,
	}
	if !reflect.DeepEqual(got.Spec, want) {
		t.Errorf("got  %+v\nwant %+v", got.Spec, want)
	}
	if readers := []api.Target{{Address: "b:1"}, {Address: "c:1", Weight: 2}}; !reflect.DeepEqual(got.Readers, readers) {
		t.Errorf("got readers %+v, want %+v", got.Readers, readers)
	}
}

func TestParse_treatmentMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"read_targets: [b:1]":            "no targets",
		"client_ip_header: CF Header":    "not a header name",
		"log_request_headers: ['A:']":    "not a header name",
		"exclude_metrics_paths: [up]":    "not a path",
		"forward_headers: sometimes":     "true",
		"writer_affinity_timeout: never": "duration",
	} {
		_, err := Parse("p.yml", []byte("services:\n  web:\n    "+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a mistake that says %q", text, err, want)
		}
	}
}
