package proxy

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"
)

// Go's client acknowledges every 4 KB, of the stream and of the connection, when they
// are read: that is no abuse.
func TestHTTP2_manyLargeAnswersAtOnceAreNoAbuse(t *testing.T) {
	body := payload(1 << 20)
	addr := httpTarget(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	})
	r := newRig(t, speaksHTTP2, newService(addr))
	client := r.h2client()
	var running sync.WaitGroup
	for range 64 {
		running.Go(func() {
			res, err := client.Get("http://" + r.addr + "/")
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = res.Body.Close() }()
			if n, err := io.Copy(io.Discard, res.Body); n != int64(len(body)) || err != nil {
				t.Errorf("got %d bytes and %v", n, err)
			}
		})
	}
	running.Wait()
	if n := r.server.counters.HTTP2Calmed.Load(); n != 0 {
		t.Error("the client was told to calm down")
	}
}
