package proxy

import (
	"io"
	"net/http"
	"testing"
	"time"
)

func TestParseGRPCTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5S": 5 * time.Second, "100m": 100 * time.Millisecond, "1H": time.Hour, "2M": 2 * time.Minute,
		"99999999n": 99999999, "7u": 7 * time.Microsecond,
		"": 0, "S": 0, "5": 0, "5s": 0, "-5S": 0, "999999999S": 0, "1.5S": 0,
	} {
		if got := parseGRPCTimeout(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestExchange_answersCallsInTheWordsOfGRPC(t *testing.T) {
	for _, test := range []struct {
		name, contentType, grpc string
		status                  int
	}{
		{"call", "application/grpc", "14", 200},
		{"call with a codec", "application/grpc+proto", "14", 200},
		{"gRPC for the Web", "application/grpc-web", "", 502},
		{"no call", "application/json", "", 502},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, Settings{}, newService("127.0.0.1:1"))
			res := r.ask("POST /a.B/C HTTP/1.1\r\nHost: a\r\nContent-Type: "+test.contentType+"\r\nContent-Length: 0\r\n\r\n", "POST")
			if got := res.Header.Get("Grpc-Status"); res.StatusCode != test.status || got != test.grpc {
				t.Errorf("got %d with the code %q, want %d, %q", res.StatusCode, got, test.status, test.grpc)
			}
			if test.grpc != "" && (bodyOf(t, res) != "" || res.Header.Get("Content-Type") != "application/grpc") {
				t.Errorf("got an answer that is not trailers-only: %v", res.Header)
			}
		})
	}
}

// A call may be silent for longer than a body may, where the target can be called.
func TestExchange_callsMayBeSilent(t *testing.T) {
	silent := 300 * time.Millisecond
	settings := Settings{BodyTimeout: silent / 4, BodyGrace: silent / 4}
	for scheme, want := range map[string]int{"h2c": 200, "tcp": 408} {
		t.Run(scheme, func(t *testing.T) {
			o := schemeTarget(t, scheme, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
			r := newRig(t, settings, serviceOver(o))
			w := r.wire()
			w.send("POST /a.B/C HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n")
			timer := time.NewTimer(silent)
			defer timer.Stop()
			<-timer.C
			if want == 200 {
				w.send("2\r\nhi\r\n0\r\n\r\n")
			}
			res, err := http.ReadResponse(w.r, &http.Request{Method: "POST"})
			if err != nil {
				t.Fatal(err)
			}
			if got := res.Header.Get("Grpc-Status"); (got == "4") != (want == 408) {
				t.Errorf("got the code %q, want that of status %d", got, want)
			}
			if want == 200 && bodyOf(t, res) != "hi" {
				t.Error("the body of the call was lost")
			}
		})
	}
}

// What a target answers without a body has none, so that the client's side can tell
// trailers alone from an empty message.
func TestExchange_passesTrailersAlone(t *testing.T) {
	o := schemeTarget(t, "h2c", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "12")
	})
	r := newRig(t, Settings{}, serviceOver(o))
	res := r.ask("POST /a.B/C HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nTE: trailers\r\nConnection: TE\r\nContent-Length: 0\r\n\r\n", "POST")
	if res.ContentLength != 0 || res.Header.Get("Grpc-Status") != "12" {
		t.Errorf("got a body of %d bytes with %v", res.ContentLength, res.Header)
	}
}
