package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"upfront/service"
)

const bufferRoom = 20_000

// gathering is a service that buffers requests.
func gathering(targets ...string) *service.Service {
	svc := newService(targets...)
	svc.BufferRequests, svc.BufferMemory = true, bufferRoom
	return svc
}

func TestGather_asksNoTargetBeforeTheBodyIsWhole(t *testing.T) {
	for _, framing := range []string{"Content-Length: 10", "Transfer-Encoding: chunked"} {
		t.Run(framing, func(t *testing.T) {
			r := newRig(t, Settings{}, gathering(httpTarget(t, mirror)))
			w := r.wire()
			w.send("POST /?fixed HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n\r\n")
			pieces := []string{"hello", "world"}
			if strings.HasPrefix(framing, "T") {
				pieces = []string{"5;ext\r\nhel", "lo\r\n5\r\nworld\r\n0\r\n\r", "\n"}
			}
			for i, piece := range pieces {
				if n, dials := r.svc.Pool.Targets()[0].InFlight(), r.server.counters.Dials.Load(); n != 0 || dials != 0 {
					t.Fatalf("before piece %d the target has %d requests and %d dials", i, n, dials)
				}
				w.send(piece)
				if i < len(pieces)-1 {
					r.awaitSpooled(1)
				}
			}
			if res, body := w.receive("POST"); res.StatusCode != 200 || body != "helloworld" {
				t.Fatalf("got %d %q", res.StatusCode, body)
			}
		})
	}
}

func (r *rig) inFlight() int64 { return r.svc.Pool.Targets()[0].InFlight() }

// awaitSpooled waits until n clients wait with a body that they read.
func (r *rig) awaitSpooled(n int) {
	r.t.Helper()
	eventually(r.t, "clients are read", func() bool {
		waiting := 0
		r.server.each(func(c *client) {
			if wait := c.waits.p.Load(); wait != nil && wait.transport == nil && !wait.gate {
				waiting++
			}
		})
		return waiting == n
	})
}

func TestGather_carriesBodiesAroundItsMemory(t *testing.T) {
	addr := httpTarget(t, mirror)
	r := newRig(t, Settings{}, gathering(addr))
	w := r.wire()
	for _, size := range []int{0, 1, 5000, bufferRoom - 1, bufferRoom, bufferRoom + 1, 40_000, 5 << 20} {
		for _, chunked := range []bool{false, true} {
			body := payload(size)
			request := fmt.Sprintf("POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", size, body)
			if chunked {
				request = "POST /?chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
				for rest := body; len(rest) > 0; rest = rest[min(9000, len(rest)):] {
					request += fmt.Sprintf("%x\r\n%s\r\n", min(9000, len(rest)), rest[:min(9000, len(rest))])
				}
				request += "0\r\n\r\n"
			}
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				_, _ = io.WriteString(w, request)
			}()
			if res, got := w.receive("POST"); res.StatusCode != 200 || got != string(body) {
				t.Fatalf("%d bytes, chunked %v: got %d and %d bytes", size, chunked, res.StatusCode, len(got))
			}
			<-sent
		}
	}
	eventually(t, "all files are closed", func() bool { return r.server.Counters()["upfront_spool_files"] == 0 })
}

func TestGather_keepsFramingAndTrailers(t *testing.T) {
	got := make(chan string, 1)
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		head, err := readHead(r)
		if err != nil {
			return
		}
		rest := make([]byte, len("5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"))
		_, _ = io.ReadFull(r, rest)
		got <- head + string(rest)
		_, _ = io.WriteString(c, ok("x"))
	})
	r := newRig(t, Settings{}, gathering(target.addr))
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhe")
	r.awaitSpooled(1)
	w.send("llo\r\n00\r\nX-Sum: 1\r\nContent-Length: 3\r\n\r\n")
	w.receive("POST")
	seen := next(t, got)
	if !strings.Contains(seen, "Transfer-Encoding: chunked\r\n") || !strings.HasSuffix(seen, "\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n") {
		t.Errorf("target got %q", seen)
	}
}

func TestGather_servesHTTP10(t *testing.T) {
	r := newRig(t, Settings{}, gathering(httpTarget(t, mirror)))
	w := r.wire()
	body := string(payload(50_000))
	w.send("POST /?fixed HTTP/1.0\r\nContent-Length: 50000\r\nExpect: 100-continue\r\n\r\n")
	r.awaitSpooled(1)
	w.send(body)
	if res, got := w.receive("POST"); res.StatusCode != 200 || got != body || !res.Close {
		t.Errorf("got %d and %d bytes, close %v", res.StatusCode, len(got), res.Close)
	}
}

func TestGather_answers100InThePlaceOfTheTarget(t *testing.T) {
	heads := make(chan string, 1)
	target := scripted(t, func(head string, c net.Conn, r *bufio.Reader) {
		heads <- head
		body := make([]byte, 5)
		_, _ = io.ReadFull(r, body)
		_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n"+ok(string(body)))
	})
	r := newRig(t, Settings{}, gathering(target.addr))
	w := r.wire()
	for range 2 {
		w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
		if head := w.head(); head != "HTTP/1.1 100 Continue\r\n\r\n" {
			t.Fatalf("got %q", head)
		}
		w.send("hello")
		if head := next(t, heads); strings.Contains(head, "Expect") {
			t.Errorf("target was asked:\n%s", head)
		}
		if res, body := w.receive("POST"); res.StatusCode != 200 || body != "hello" || res.Close {
			t.Fatalf("got %d %q, close %v", res.StatusCode, body, res.Close)
		}
	}
}

func TestGather_invitesNobodyWhoDoesNotWait(t *testing.T) {
	r := newRig(t, Settings{}, gathering(httpTarget(t, mirror)))
	w := r.wire()
	w.send("POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\nhello")
	r.awaitSpooled(1)
	w.send("world")
	if head := w.head(); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Fatalf("got %q", head)
	}
	w.exactly("helloworld")
}

func TestGather_invitesNoBodyThatIsTooLarge(t *testing.T) {
	svc := gathering(httpTarget(t, mirror))
	svc.MaxRequestBody = 1000
	r := newRig(t, Settings{}, svc)
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
	if res, _ := w.receive("POST"); res.StatusCode != 413 || !res.Close {
		t.Errorf("got %d, close %v", res.StatusCode, res.Close)
	}
}

func TestGather_refusesAChunkedBodyThatGrowsTooLarge(t *testing.T) {
	svc := gathering(httpTarget(t, mirror))
	svc.MaxRequestBody = 100_000
	r := newRig(t, Settings{}, svc)
	for _, c := range []struct{ chunks, want int }{{10, 200}, {11, 413}, {300, 413}} {
		w := r.wire()
		w.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
		for range c.chunks {
			w.send(fmt.Sprintf("%x\r\n%s\r\n", 10_000, payload(10_000)))
		}
		w.send("0\r\n\r\n")
		if res, _ := w.receive("POST"); res.StatusCode != c.want || res.Close != (c.want == 413) {
			t.Errorf("%d chunks: got %d, close %v, want %d", c.chunks, res.StatusCode, res.Close, c.want)
		}
	}
	if n := r.server.counters.Dials.Load(); n != 1 {
		t.Errorf("target was dialled %d times, want once: for the body within the limit", n)
	}
}

func TestGather_answersWhatTheClientDoesWrong(t *testing.T) {
	for _, c := range []struct {
		name, framing, first, then string
		want                       int
	}{
		{"stops", "Content-Length: 100", "hello", "", 408},
		{"malformed", "Transfer-Encoding: chunked", "5\r\nhello", "x\r\n", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Settings{BodyTimeout: 200 * time.Millisecond}, gathering(httpTarget(t, mirror)))
			w := r.wire()
			w.send("POST / HTTP/1.1\r\nHost: a\r\n" + c.framing + "\r\n\r\n" + c.first)
			r.awaitSpooled(1)
			w.send(c.then)
			if res, _ := w.receive("POST"); res.StatusCode != c.want || !res.Close {
				t.Errorf("got %d, close %v, want %d", res.StatusCode, res.Close, c.want)
			}
			w.ends(true)
			if n := r.server.counters.Dials.Load(); n != 0 {
				t.Errorf("target was dialled")
			}
		})
	}
}

func TestGather_forgetsAClientThatLeaves(t *testing.T) {
	r := newRig(t, Settings{}, gathering(httpTarget(t, mirror)))
	for _, reset := range []bool{false, true} {
		w := r.wire()
		w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + string(payload(50_000)))
		eventually(t, "a file is open", func() bool { return r.server.Counters()["upfront_spool_files"] == 1 })
		left := r.server.counters.ClientsLeft.Load()
		if reset {
			w.reset()
		} else {
			_ = w.Close()
		}
		eventually(t, "it is counted", func() bool { return r.server.counters.ClientsLeft.Load() == left+1 })
		eventually(t, "its file is closed", func() bool { return r.server.Counters()["upfront_spool_files"] == 0 })
	}
	if n := r.server.counters.Dials.Load(); n != 0 {
		t.Errorf("target was dialled %d times", n)
	}
}

func TestGather_answers503WithoutRoomOnDisk(t *testing.T) {
	for name, create := range map[string]func() (spoolFile, error){
		"full at once": fullAfter(0),
		"full later":   fullAfter(30_000),
		"no folder":    func() (spoolFile, error) { return nil, io.ErrClosedPipe },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Settings{}, gathering(httpTarget(t, mirror)))
			r.server.spools.create = create
			for range 2 {
				w := r.wire()
				w.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + string(payload(100_000)))
				if res, body := w.receive("PUT"); res.StatusCode != 503 || !res.Close || !strings.Contains(body, "503") {
					t.Errorf("got %d %q, close %v", res.StatusCode, body, res.Close)
				}
				w.ends(true)
			}
			if n := r.server.counters.Dials.Load(); n != 0 {
				t.Errorf("target was dialled %d times", n)
			}
			if c := r.server.Counters(); c["upfront_spool_files"] != 0 || c["upfront_spool_errors_total"] != 2 {
				t.Errorf("%d files, %d errors", c["upfront_spool_files"], c["upfront_spool_errors_total"])
			}
			w := r.wire() // what fits into memory is served all the same
			w.send("POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n" + string(payload(10_000)))
			if res, _ := w.receive("POST"); res.StatusCode != 200 {
				t.Errorf("got %d", res.StatusCode)
			}
		})
	}
}

func TestGather_neverTakesHalfABodyForWhole(t *testing.T) {
	// The file loses its end between the two: what the target gets is cut, too.
	complete := make(chan bool, 8)
	addr := httpTarget(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		complete <- err == nil
	})
	r := newRig(t, Settings{}, gathering(addr))
	r.server.spools.create = func() (spoolFile, error) {
		file, err := temporaryFile()
		return &shortFile{file}, err
	}
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + string(payload(200_000)))
	if res, _ := w.receive("POST"); res.StatusCode != 500 {
		t.Errorf("got %d", res.StatusCode)
	}
	select {
	case ok := <-complete:
		if ok {
			t.Error("target took the body for whole")
		}
	default: // the cut may come before the handler
	}
}

func TestGather_waitsAtTheGateWithTheBodyUnread(t *testing.T) {
	r := newRig(t, Settings{}, gathering(httpTarget(t, mirror)))
	r.svc.Gate.Pause(time.Minute)
	w := r.wire()
	w.send("POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
	eventually(t, "it is held", func() bool {
		held := false
		r.server.each(func(c *client) {
			wait := c.waits.p.Load()
			held = held || wait != nil && wait.gate
		})
		return held
	})
	r.svc.Gate.Resume()
	if head := w.head(); head != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("got %q", head)
	}
	r.awaitSpooled(1)
	// What is read already waits as well, when a pause comes now.
	r.svc.Gate.Pause(time.Minute)
	w.send("paused by")
	eventually(t, "it is held again", func() bool {
		held := false
		r.server.each(func(c *client) {
			wait := c.waits.p.Load()
			held = held || wait != nil && wait.gate
		})
		return held
	})
	r.svc.Gate.Resume()
	if res, body := w.receive("POST"); res.StatusCode != 200 || body != "paused by" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
}

func TestGather_answersTheMaintenancePageWhenStoppedMeanwhile(t *testing.T) {
	r := newRig(t, Settings{}, gathering(httpTarget(t, mirror)))
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
	r.awaitSpooled(1)
	r.svc.Gate.Stop("Back at noon")
	w.send("hello")
	if res, body := w.receive("POST"); res.StatusCode != 503 || !strings.Contains(body, "Back at noon") {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
}

// movingRoutes sends every request to the service that is live.
type movingRoutes struct {
	live atomic.Pointer[service.Service]
}

func (r *movingRoutes) Match(_, _ []byte) (*service.Service, string, bool) {
	svc := r.live.Load()
	return svc, "/", svc != nil
}

func TestGather_goesToWhatIsDeployedOnceItIsWhole(t *testing.T) {
	var seen atomic.Int32
	old := gathering(httpTarget(t, func(http.ResponseWriter, *http.Request) { seen.Add(1) }))
	replacement := gathering(httpTarget(t, mirror))
	routes := &movingRoutes{}
	routes.live.Store(old)
	r := newRigOf(t, Settings{}, old, routes)
	t.Cleanup(func() { r.settle(replacement) })
	w := r.wire()
	for _, step := range []struct {
		live *service.Service
		want int
	}{{replacement, 200}, {nil, 404}} {
		routes.live.Store(old)
		w.send("POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
		r.awaitSpooled(1)
		routes.live.Store(step.live)
		w.send("hello")
		if res, _ := w.receive("POST"); res.StatusCode != step.want {
			t.Errorf("got %d, want %d", res.StatusCode, step.want)
		}
	}
	if n := seen.Load(); n != 0 {
		t.Errorf("the replaced target saw %d requests", n)
	}
}

func TestGather_keepsNoDrainWaiting(t *testing.T) {
	r := newRig(t, Settings{}, gathering(httpTarget(t, mirror)))
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
	r.awaitSpooled(1)
	if cut := next(t, r.drained()); cut != 0 {
		t.Errorf("drain cut %d exchanges", cut)
	}
	w.send("hello")
	if res, _ := w.receive("POST"); res.StatusCode != 503 || res.Close {
		t.Errorf("got %d, close %v: no target is left", res.StatusCode, res.Close)
	}
}

func TestGather_keepsNoBodyWhileTheAnswerStreams(t *testing.T) {
	target := scripted(t, func(_ string, c net.Conn, r *bufio.Reader) {
		_, _ = io.CopyN(io.Discard, r, 100_000)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
		_, _ = r.ReadByte()
	})
	r := newRig(t, Settings{}, gathering(target.addr))
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + string(payload(100_000)))
	w.head()
	eventually(t, "its file is closed", func() bool { return r.server.Counters()["upfront_spool_files"] == 0 })
}

func TestGather_isEndedByAShutdownAtItsDeadline(t *testing.T) {
	r := newRig(t, Settings{}, gathering(httpTarget(t, mirror)))
	cut, done := r.wire(), r.wire()
	cut.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
	done.send("POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
	r.awaitSpooled(2)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.server.Shutdown(ctx) }()
	eventually(t, "it is closing", r.server.leaving.Load)
	done.send("hello") // a body that becomes whole is served
	if res, body := done.receive("POST"); res.StatusCode != 200 || body != "hello" || !res.Close {
		t.Errorf("got %d %q, close %v", res.StatusCode, body, res.Close)
	}
	cancel()
	if res, _ := cut.receive("POST"); res.StatusCode != 503 || !res.Close {
		t.Errorf("got %d, close %v", res.StatusCode, res.Close)
	}
	_ = cut.Close()
	next(t, ended)
}

func TestGather_keepsBodiesInFilesWhileMemoryIsTight(t *testing.T) {
	r := newRig(t, Settings{}, gathering(httpTarget(t, mirror)))
	w := r.wire()
	body := string(payload(bufferRoom))
	w.send("POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
	r.awaitSpooled(1)
	w.send(body[:5000])
	r.server.pressure.level.Store(int32(tight))
	w.send(body[5000:15_000])
	eventually(t, "a file is open", func() bool { return r.server.Counters()["upfront_spool_files"] == 1 })
	w.send(body[15_000:])
	if res, got := w.receive("POST"); res.StatusCode != 200 || got != body {
		t.Errorf("got %d and %d bytes", res.StatusCode, len(got))
	}
}

func TestGather_pipelinesRequests(t *testing.T) {
	r := newRig(t, Settings{}, gathering(httpTarget(t, mirror)))
	w := r.wire()
	var all bytes.Buffer
	var want []string
	for i := range 12 {
		body := string(payload([]int{0, 1, 3000, 5000, 40_000, 70_000}[i%6]))
		want = append(want, body)
		fmt.Fprintf(&all, "POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = w.Write(all.Bytes())
	}()
	for i, body := range want {
		if _, got := w.receive("POST"); got != body {
			t.Fatalf("answer %d has %d bytes, want %d", i, len(got), len(body))
		}
	}
	<-sent
}

func TestGather_passesAnEarlyAnswerOn(t *testing.T) {
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
	})
	r := newRig(t, Settings{}, gathering(target.addr))
	w := r.wire()
	w.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", tenMB))
	if err := w.uploadAll(tenMB); err != nil {
		t.Fatal(err)
	}
	if res, body := w.receive("POST"); res.StatusCode != 401 || body != "no" || res.Close {
		t.Errorf("got %d %q, close %v: the body was read whole", res.StatusCode, body, res.Close)
	}
}
