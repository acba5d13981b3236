package proxy

import (
	"runtime"
	"testing"
)

func TestReadAhead_leaksNothingWhenClientsLeave(t *testing.T) {
	const size = 8 << 20
	addr, gave := giving(t, fixed(size), payload(size))
	svc := leading(addr)
	svc.BufferMemory = bufferRoom
	r := newRig(t, Settings{}, svc)
	abort := func(n int) {
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		w.head()
		if n%2 == 0 {
			next(t, gave)
		}
		w.reset()
		if n%2 != 0 {
			next(t, gave)
		}
		eventually(t, "it is over", func() bool {
			return r.server.Counters()["upfront_connections"] == 0 && r.inFlight() == 0
		})
	}
	abort(0)
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	for n := range 12 {
		abort(n)
	}
	eventually(t, "all is as before", func() bool {
		return runtime.NumGoroutine() <= goroutines+2 && descriptors(t) <= files+4 // connections to the target
	})
}
