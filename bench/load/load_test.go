package load

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"upfront/bench/hist"
	"upfront/bench/target"
	"upfront/bench/wire"
)

// app serves connections with f until the test ends, and returns its address.
func app(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go f(conn)
		}
	}()
	return ln.Addr().String()
}

// realTarget is the target of the bench, which ends with the tests.
func realTarget(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	ln.Close()
	listener, err := wire.Listen(address)
	if errors.Is(err, wire.ErrNotLinux) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	go target.Serve(listener)
	return address
}

func open(t *testing.T, job Job) *Load {
	t.Helper()
	l, err := Open(job)
	if errors.Is(err, wire.ErrNotLinux) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func TestLoad_Run_everyKindOfRequestIsAnswered(t *testing.T) {
	address := realTarget(t)
	for _, test := range []struct {
		name string
		job  Job
	}{
		{"small", Job{Requests: [][]byte{Get("a", "/")}}},
		{"20 KB", Job{Requests: [][]byte{Get("a", "/20k")}}},
		{"1 MB", Job{Requests: [][]byte{Get("a", "/1m")}}},
		{"POST", Job{Requests: [][]byte{Post("a", "/", 1<<10)}}},
		{"large POST", Job{Requests: [][]byte{Post("a", "/", 600<<10)}}},
		{"WebSocket", Job{Handshake: Upgrade("a", "/echo"), Requests: [][]byte{Frame(64)}, EchoSize: EchoOf(64)}},
		{"rotating", Job{Requests: [][]byte{Get("a", "/"), Get("b", "/20k"), Get("c", "/")}, Rotate: true}},
		{"open loop", Job{Requests: [][]byte{Get("a", "/")}, Rate: 2000}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.job.Address, test.job.Connections = address, 4
			l := open(t, test.job)
			for range 2 {
				got, err := l.Run(20 * time.Millisecond)
				if err != nil {
					t.Fatal(err)
				}
				if got.Answered == 0 || got.Failed > 0 || got.Latency.Count() != uint64(got.Answered) {
					t.Errorf("got %d answered, %d failed, %d latencies, want some, 0, as many",
						got.Answered, got.Failed, got.Latency.Count())
				}
			}
		})
	}
}

func TestLoad_Run_closesFreshConnectionsBehindTheTarget(t *testing.T) {
	address := app(t, func(conn net.Conn) {
		defer conn.Close()
		conn.Read(make([]byte, 4<<10))
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	})
	l := open(t, Job{Address: address, Connections: 3, Fresh: true, Requests: [][]byte{GetOnce("a", "/")}})
	got, err := l.Run(20 * time.Millisecond)
	if err != nil || got.Answered < 3 || got.Failed > 0 {
		t.Errorf("got %d answered, %d failed, %v, want 3 or more, 0, nil", got.Answered, got.Failed, err)
	}
}

// What is due while the target stalls waits, and its wait counts.
func TestLoad_Run_chargesAStallToAllThatWasDue(t *testing.T) {
	stall := 200 * time.Millisecond
	address := app(t, func(conn net.Conn) {
		defer conn.Close()
		in := make([]byte, 4<<10)
		for i := 0; ; i++ {
			if _, err := conn.Read(in); err != nil {
				return
			}
			if i == 0 {
				<-time.After(stall)
			}
			if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
				return
			}
		}
	})
	l := open(t, Job{Address: address, Connections: 1, Requests: [][]byte{Get("a", "/")}, Rate: 1000})
	got, err := l.Run(stall)
	if err != nil {
		t.Fatal(err)
	}
	if got.Answered < 100 {
		t.Fatalf("got %d answered, want about 200", got.Answered)
	}
	if median := got.Latency.Quantile(0.5); median < stall/4 {
		t.Errorf("median: got %v, want %v or more", median, stall/4)
	}
}

func TestLoad_Run_countsFailures(t *testing.T) {
	for _, test := range []struct{ name, answer, want string }{
		{"status", "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", `"HTTP/1.1 503 No"`},
		{"no length", "HTTP/1.1 200 OK\r\n\r\n", "without Content-Length"},
		{"too long", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok", "1 bytes more"},
		{"cut head", "HTTP/1.1 200 OK\r\nConte", "unexpected EOF"},
		{"cut body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", "unexpected EOF"},
		{"nothing", "", "unexpected EOF"},
	} {
		address := app(t, func(conn net.Conn) {
			defer conn.Close()
			conn.Read(make([]byte, 4<<10))
			io.WriteString(conn, test.answer)
		})
		job := Job{Address: address, Connections: 2, Requests: [][]byte{Get("a", "/")}}
		l := open(t, job)
		if _, err := l.Run(0); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", test.name, err, test.want)
		}
		job.Tolerate = true
		l = open(t, job)
		got, err := l.Run(5 * time.Millisecond)
		if err != nil || got.Failed < 2 || got.Answered > 0 {
			t.Errorf("%s, tolerated: got %d failed, %d answered, %v, want 2 or more, 0, nil",
				test.name, got.Failed, got.Answered, err)
		}
	}
}

func TestParseAnswer(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     answer
	}{
		{"plain", "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", answer{size: 39, body: 12}},
		{"any case", "HTTP/1.1 200 OK\r\ncontent-length:12\r\nX: y\r\n\r\n", answer{size: 44, body: 12}},
		{"close", "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", answer{size: 57, final: true}},
		{"101", "HTTP/1.1 101 Switching Protocols\r\n\r\nx", answer{size: 36}},
	} {
		got, err := parseAnswer([]byte(test.in))
		if err != nil || got != test.want {
			t.Errorf("%s: got %+v, %v, want %+v", test.name, got, err, test.want)
		}
	}
}

func TestStreams_count_findsEventsOverPieces(t *testing.T) {
	text := "80\r\ndata: 1000000000000000000 x\n\n80\r\ndata: 1000000000000000001 y\n\n"
	for size := 1; size <= len(text); size++ {
		s := &Streams{tails: make([][]byte, 1), mark: []byte("data: ")}
		var late hist.Histogram
		got := 0
		for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
			got += s.count(0, []byte(rest[:min(size, len(rest))]), &late)
		}
		if got != 2 {
			t.Errorf("pieces of %d bytes: got %d events, want 2", size, got)
		}
	}
}

func TestStreams_Run_countsEvents(t *testing.T) {
	s, err := OpenStreams(realTarget(t), Get("a", "/events"), 8, target.EventMark)
	if errors.Is(err, wire.ErrNotLinux) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	events := 0
	for range 200 {
		n, late, err := s.Run(target.Interval)
		if err != nil || late.Count() != uint64(n) {
			t.Fatalf("got %d events, %d latencies, %v", n, late.Count(), err)
		}
		if events += n; events >= 16 {
			return
		}
	}
	t.Errorf("got %d events, want 16 or more", events)
}

func TestQueue_keepsOrder(t *testing.T) {
	var q queue[int]
	next := 0
	for i := range 5000 {
		q.push(i)
		if i%3 > 0 {
			if got, _ := q.pop(); got != next {
				t.Fatalf("got %d, want %d", got, next)
			}
			next++
		}
	}
	if got, want := q.size(), 5000-next; got != want {
		t.Errorf("size: got %d, want %d", got, want)
	}
}
