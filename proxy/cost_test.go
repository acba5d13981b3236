//go:build unix

package proxy

import (
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"upfront/balancer"
	"upfront/health"
	"upfront/service"
)

// BenchmarkOnByDefault is what each thing costs a request that is on without being
// asked for: the table in docs/performance.md. Every goroutine has connections and
// an exchange of its own, and shares the server, the service and the target with
// the others, as clients do. cpu-ns/op is the CPU time of one request, whatever else
// the machine does: what grows from -cpu 1 to -cpu 2 is contention.
func BenchmarkOnByDefault(b *testing.B) {
	for _, c := range []struct {
		name string
		make func(*costs) func() // for one goroutine
	}{
		{"counters", (*costs).counters},
		{"request_id", (*costs).requestID},
		{"forwarded_headers", (*costs).forwarded},
		{"access_log", (*costs).accessLog},
		{"passive_health", (*costs).passiveHealth},
		{"in_flight_count", (*costs).inFlight},
		{"retry_budget", (*costs).retryBudget},
		{"gate_and_shedding", (*costs).gate},
		{"leave_watch", (*costs).leaveWatch},
		{"deadlines", (*costs).deadlines},
		{"kept_connection", (*costs).keptConnection},
		{"look_for_the_unasked", (*costs).quiet},
		{"unasked_answer_near", (*costs).early},
		{"unasked_answer_far", (*costs).untouched},
	} {
		b.Run(c.name, func(b *testing.B) {
			rig := newCosts(b)
			b.ReportAllocs()
			before := processTime(b)
			b.RunParallel(func(pb *testing.PB) {
				request := c.make(rig)
				for pb.Next() {
					request()
				}
			})
			b.ReportMetric(float64(processTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// processTime is what the system charged to us so far.
func processTime(b *testing.B) int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// costs is what the goroutines of one benchmark share.
type costs struct {
	b      *testing.B
	server *Server
	svc    *service.Service
	target *balancer.Target
}

func newCosts(b *testing.B) *costs {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			})
		}
	})
	address := ln.Addr().String()
	target := balancer.NewTarget(balancer.TargetOptions{
		Address: address, Health: health.Healthy, Transport: NewTransport(address, func() time.Duration { return time.Second }),
	})
	svc := &service.Service{
		Name: "web", Pool: balancer.NewPool([]*balancer.Target{target}, balancer.PoolOptions{}),
		Gate: service.NewGate(1), Retries: balancer.NewRetryBudget(),
	}
	b.Cleanup(func() {
		target.Close()
		_ = ln.Close()
		running.Wait()
	})
	return &costs{b: b, server: New(Options{AccessLog: NewAccessLog(io.Discard, nil)}), svc: svc, target: target}
}

// exchange is one that a target has answered.
func (r *costs) exchange() *exchange {
	x := exchangeOf(r.b, browser).answered(200, "text/html; charset=utf-8")
	x.c.server, x.svc, x.target, x.last = r.server, r.svc, r.target, r.target
	return x
}

// conn is a connection to the target that was dialled.
func (r *costs) conn() *targetConn {
	conn := r.target.Transport().(*transport).newConn()
	if err := conn.connect(); err != nil {
		r.b.Error(err)
	}
	r.b.Cleanup(func() { conn.transport.discard(conn) })
	return conn
}

func (r *costs) counters() func() {
	x := r.exchange()
	return func() { r.server.counters.Requests[class(x.status)].Add(1) }
}

func (r *costs) requestID() func() {
	x := r.exchange()
	var head []byte
	return func() {
		x.identify()
		head = append(append(head[:0], "X-Request-Id: "...), x.id.bytes()...)
	}
}

func (r *costs) forwarded() func() {
	x := r.exchange()
	var head []byte
	return func() { head = x.appendForwarded(head[:0]) }
}

// accessLog leaves out what the system does with a batch.
func (r *costs) accessLog() func() {
	x := r.exchange()
	head := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 300\r\nCache-Control: no-cache\r\n\r\n")
	x.c.res.Reset()
	if done, bad := x.c.res.Scan(head, responseLimits); !done || bad != nil {
		r.b.Error(bad)
	}
	return func() {
		x.noteResponse()
		r.server.accessLog.write(x)
		throwAway(r.server.accessLog.sink)
	}
}

func (r *costs) passiveHealth() func() {
	x := r.exchange()
	return func() { x.judge(nil) }
}

func (r *costs) inFlight() func() {
	return func() {
		target, err := r.svc.Pool.Acquire(nil)
		if err != nil {
			r.b.Error(err)
			return
		}
		target.Release()
	}
}

func (r *costs) retryBudget() func() { return r.svc.Retries.Earn }

func (r *costs) gate() func() {
	x := r.exchange()
	return func() {
		_ = x.shed()
		for range 2 { // before and after the count
			if r.svc.Gate.State() != service.Running {
				r.b.Error("the gate is closed")
			}
		}
	}
}

func (r *costs) leaveWatch() func() {
	x, conn := r.exchange(), r.conn()
	return func() {
		if !x.c.watch(conn) || !x.c.unwatch(conn) {
			r.b.Error("the client left")
		}
	}
}

// deadlines are those of a request on kept connections. The clock is read for
// them and for nothing else.
func (r *costs) deadlines() func() {
	client, target := r.conn(), r.conn()
	return func() {
		now := time.Now()
		client.armRead(now, time.Minute)
		target.armWrite(now, 30*time.Second)
		target.armRead(now, 30*time.Second)
		client.armWrite(now, 30*time.Second)
	}
}

// keptConnection is to take one and put it back, with the look at it.
func (r *costs) keptConnection() func() {
	t := r.target.Transport().(*transport)
	t.put(r.conn(), time.Now())
	return func() {
		now := time.Now()
		conn := t.take(now, false)
		if conn == nil {
			conn = r.conn()
		}
		t.put(conn, now)
	}
}

func (r *costs) quiet() func() {
	conn := r.conn()
	return func() {
		if !conn.quiet() {
			r.b.Error("something arrived")
		}
	}
}

func (r *costs) early() func() {
	conn := r.conn()
	conn.uses, conn.far, conn.waited = 1, false, true
	return func() { _ = conn.early() }
}

func (r *costs) untouched() func() {
	conn := r.conn()
	conn.uses, conn.far = 1, true
	return func() { _ = conn.early() }
}
