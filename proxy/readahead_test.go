package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"upfront/service"
)

// got compares what the next answer brings with want, which is too long to show.
func (w *wire) got(want []byte) {
	w.t.Helper()
	_ = tune(w.Conn).SetReadBuffer(4 << 20) // it has been lazy for long enough
	res, err := http.ReadResponse(w.r, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Equal(got, want) {
		w.t.Fatalf("got %d bytes and %v, want other %d", len(got), err, len(want))
	}
}

// large is more than the sockets between a target and a lazy client hold.
const large = 8 << 20

// lazy is a client whose socket takes little before it reads.
func (r *rig) lazy() *wire {
	w := r.wire()
	_ = tune(w.Conn).SetReadBuffer(32 << 10)
	_ = w.SetDeadline(time.Now().Add(time.Minute))
	return w
}

// leading is a service that reads responses ahead.
func leading(targets ...string) *service.Service {
	svc := newService(targets...)
	svc.BufferResponses, svc.BufferMemory = true, 64<<10
	return svc
}

// holdsBack expects a target of giving to be held up by its client.
func (r *rig) holdsBack(gave <-chan error) {
	r.t.Helper()
	select {
	case <-gave:
		r.t.Error("target gave everything away while the client read nothing")
	case <-time.After(100 * time.Millisecond):
	}
	if n := r.inFlight(); n != 1 {
		r.t.Errorf("%d in flight", n)
	}
}

// giving is a target that answers each request with head and body, and reports
// when it has written them, or could not.
func giving(t *testing.T, head string, body []byte) (addr string, gave chan error) {
	gave = make(chan error, 16)
	return scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
		_ = c.(*net.TCPConn).SetWriteBuffer(32 << 10)
		pieces := net.Buffers{[]byte(head), body}
		_, err := pieces.WriteTo(c)
		gave <- err
	}).addr, gave
}

func fixed(n int, more ...string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n", n, strings.Join(more, ""))
}

func TestReadAhead_freesTheTargetWhileTheClientReads(t *testing.T) {
	body := payload(large)
	for _, version := range []string{"1.1", "1.0"} {
		t.Run("HTTP/"+version, func(t *testing.T) {
			addr, gave := giving(t, fixed(large), body)
			r := newRig(t, Settings{}, leading(addr))
			w := r.lazy()
			for n := range 2 { // the connection is good for more
				w.send("GET / HTTP/" + version + "\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
				if err := next(t, gave); err != nil {
					t.Fatalf("target could not give its answer away: %v", err)
				}
				eventually(t, "the target is free", func() bool { return r.inFlight() == 0 })
				if files := r.server.Counters()["upfront_spool_files"]; n == 0 && files != 1 {
					t.Errorf("%d files are open while the client has read nothing", files)
				}
				tr := r.svc.Pool.Targets()[0].Transport().(*transport)
				eventually(t, "the connection to the target is kept", func() bool {
					tr.mu.Lock()
					defer tr.mu.Unlock()
					return len(tr.idle) == 1
				})
				w.got(body)
			}
			eventually(t, "the file is closed", func() bool { return r.server.Counters()["upfront_spool_files"] == 0 })
		})
	}
}

func TestReadAhead_carriesBodiesOfEverySize(t *testing.T) {
	addr := httpTarget(t, mirror)
	svc := leading(addr)
	svc.BufferRequests, svc.BufferMemory = true, 50_000
	r := newRig(t, Settings{}, svc)
	for _, size := range []int{0, 1, 300, 8 << 10, 20_000, 49_999, 50_001, 1 << 20, 8 << 20} {
		body := payload(size)
		w := r.lazy()
		go func() {
			_, _ = fmt.Fprintf(w, "POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", size, body)
		}()
		// Now and then the client rests, so that it falls behind and catches up.
		res, err := http.ReadResponse(bufio.NewReaderSize(&resting{r: w.r, every: 300_000}, 1000), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := bodyOf(t, res); got != string(body) {
			t.Fatalf("got %d bytes that are not the %d sent", len(got), size)
		}
	}
}

// resting is a reader that is slow now and then.
type resting struct {
	r           io.Reader
	every, read int
}

func (r *resting) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if r.read += n; r.read > r.every {
		r.read = 0
		<-time.After(time.Millisecond)
	}
	return n, err
}

func TestReadAhead_leavesStreamsAlone(t *testing.T) {
	body := payload(large)
	chunks := []byte(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", large, body))
	for _, c := range []struct {
		name, head string
		body       []byte
	}{
		{"told not to", fixed(large, "X-Accel-Buffering: no\r\n"), body},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunks},
		{"events", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", chunks},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr, gave := giving(t, c.head, c.body)
			r := newRig(t, Settings{}, leading(addr))
			w := r.lazy()
			w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			head := w.head()
			if told := strings.Contains(head, "X-Accel-Buffering: no\r\n"); told != (c.name == "told not to") {
				t.Errorf("client got %q", head)
			}
			r.holdsBack(gave)
			_, _ = io.CopyN(io.Discard, w.r, large)
			if err := next(t, gave); err != nil {
				t.Errorf("target: %v", err)
			}
		})
	}
}

func TestReadAhead_delaysNoPiece(t *testing.T) {
	goOn := make(chan struct{})
	r := newRig(t, Settings{}, leading(pieces(t, goOn, "one", "two", "end")))
	w := r.lazy()
	for range 2 {
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		w.head()
		for _, piece := range []string{"one", "two", "end"} {
			goOn <- struct{}{}
			w.exactly(piece)
		}
	}
}

// pieces is a target that sends its body piece by piece, each when it is told to.
func pieces(t *testing.T, goOn <-chan struct{}, body ...string) (addr string) {
	return scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
		_, _ = io.WriteString(c, fixed(len(strings.Join(body, ""))))
		for _, piece := range body {
			<-goOn
			_, _ = io.WriteString(c, piece)
		}
	}).addr
}

func TestReadAhead_outlivesTheTarget(t *testing.T) {
	body := payload(large)
	addr, gave := giving(t, fixed(large), body)
	r := newRig(t, Settings{}, leading(addr))
	w := r.lazy()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	next(t, gave)
	eventually(t, "the target is free", func() bool { return r.inFlight() == 0 })
	if n := next(t, r.drained()); n != 0 {
		t.Errorf("drain cut %d exchanges", n)
	}
	r.svc.Pool.Targets()[0].Close()
	w.got(body)
}

func TestReadAhead_abortsBehindWhatCameWhenTheTargetBreaksOff(t *testing.T) {
	for _, how := range []string{"closes", "resets", "is cut"} {
		t.Run(how, func(t *testing.T) {
			body := payload(large)
			gave, cut := make(chan struct{}), make(chan struct{})
			target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
				_, _ = readHead(r)
				_, _ = io.WriteString(c, fixed(large+1))
				_, _ = c.Write(body)
				close(gave)
				<-cut
				if how == "resets" {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
			})
			r := newRig(t, Settings{}, leading(target.addr))
			w := r.lazy()
			w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			next(t, gave)
			if how == "is cut" {
				if n := next(t, r.drained()); n != 1 {
					t.Errorf("drain cut %d exchanges, want 1", n)
				}
			}
			close(cut)
			eventually(t, "the target is free", func() bool { return r.inFlight() == 0 })
			res, err := http.ReadResponse(w.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			if err == nil || len(got) > large || !bytes.HasPrefix(body, got) {
				t.Errorf("got %d bytes and %v", len(got), err)
			}
			if len(got) == 0 {
				t.Error("nothing of what came was passed on")
			}
			eventually(t, "it is counted", func() bool { return r.server.counters.Aborted.Load() == 1 })
		})
	}
}

func TestReadAhead_endsWithTheClient(t *testing.T) {
	for _, c := range []struct {
		name  string
		given int // of large bytes
	}{{"behind the target's end", large}, {"before it", large - 1}} {
		for _, how := range []string{"closes", "resets", "stops reading"} {
			t.Run(c.name+" "+how, func(t *testing.T) {
				addr, gave := giving(t, fixed(large), payload(c.given))
				r := newRig(t, Settings{BodyTimeout: 2 * time.Second}, leading(addr))
				w := r.lazy()
				w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				next(t, gave)
				if c.given == large {
					eventually(t, "the target is free", func() bool { return r.inFlight() == 0 })
				}
				switch how {
				case "closes":
					_ = w.Close()
				case "resets":
					w.reset()
				}
				eventually(t, "everything is given back", func() bool {
					all := r.server.Counters()
					return all["upfront_spool_files"] == 0 && all["upfront_connections"] == 0 && r.inFlight() == 0
				})
			})
		}
	}
}

func TestReadAhead_endsAtTheDeadlineOfAShutdown(t *testing.T) {
	addr, gave := giving(t, fixed(large), payload(large))
	r := newRig(t, Settings{}, leading(addr))
	w := r.lazy()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	next(t, gave)
	eventually(t, "the target is free", func() bool { return r.inFlight() == 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond) // longer than idle clients live
	defer cancel()
	if err := r.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	if n, err := io.Copy(io.Discard, w.r); err == nil {
		t.Errorf("connection ended cleanly behind %d bytes", n)
	}
	eventually(t, "it is logged", func() bool { return strings.Contains(r.log.String(), `"resp_content_length":`) })
	if strings.Contains(r.log.String(), fmt.Sprintf(`"resp_content_length":%d,`, large)) {
		t.Error("what the client was not sent is logged as sent")
	}
}

func TestReadAhead_survivesAShutdownThatHasTime(t *testing.T) {
	body := payload(large)
	addr, gave := giving(t, fixed(large), body)
	r := newRig(t, Settings{}, leading(addr))
	w := r.lazy()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	next(t, gave)
	eventually(t, "the target is free", func() bool { return r.inFlight() == 0 })
	ended := make(chan error, 1)
	go func() { ended <- r.server.Shutdown(t.Context()) }()
	eventually(t, "it is closing", r.server.leaving.Load)
	<-time.After(2 * acceptTail)
	w.got(body)
	if err := next(t, ended); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestReadAhead_waitsForTheClientWithoutRoomOnDisk(t *testing.T) {
	for _, c := range []struct {
		name   string
		room   int64
		set    func(*spoolDisk)
		errors uint64
	}{
		{"disk is full", 1 << 20, func(d *spoolDisk) { d.create = fullAfter(1 << 20) }, 1},
		{"disk is full at once", 0, func(d *spoolDisk) { d.create = fullAfter(10) }, 1},
		{"no folder", 1 << 20, func(d *spoolDisk) { d.create = func() (spoolFile, error) { return nil, syscall.EMFILE } }, 1},
		{"bound", 1 << 20, func(d *spoolDisk) { d.most, d.create = 1<<20, fullAfter(1<<20) }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := payload(large)
			addr, gave := giving(t, fixed(large), body)
			svc := leading(addr)
			svc.BufferMemory = c.room
			r := newRig(t, Settings{}, svc)
			c.set(&r.server.spools)
			w := r.lazy()
			w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			w.head()
			eventually(t, "there is no room", func() bool {
				all := r.server.Counters()
				return all["upfront_spool_errors_total"] == c.errors && (c.errors > 0 || all["upfront_spool_files"] == 1)
			})
			select {
			case <-gave:
				t.Error("target gave everything away, which nothing could hold")
			default:
			}
			got := make([]byte, large)
			if _, err := io.ReadFull(w.r, got); err != nil || !bytes.Equal(got, body) {
				t.Fatalf("got other bytes than were sent, %v", err)
			}
			next(t, gave)
			eventually(t, "the file is closed", func() bool { return r.server.Counters()["upfront_spool_files"] == 0 })
			if n := r.server.Counters()["upfront_spool_errors_total"]; n != c.errors {
				t.Errorf("%d errors are counted, want %d", n, c.errors)
			}
		})
	}
}

func TestReadAhead_noticesADrainWhileItWaitsForRoom(t *testing.T) {
	addr, gave := giving(t, fixed(large), payload(large))
	r := newRig(t, Settings{}, leading(addr))
	r.server.spools.most = 1 << 20
	w := r.lazy()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	w.head()
	eventually(t, "there is no room", func() bool {
		waits := false
		r.server.each(func(c *client) {
			if conn := c.waits.p.Load(); conn != nil {
				conn.mu.Lock()
				waits = r.server.spools.files.Load() == 1 && conn.cancel != nil
				conn.mu.Unlock()
			}
		})
		return waits
	})
	if n := next(t, r.drained()); n != 1 {
		t.Errorf("drain cut %d exchanges, want 1", n)
	}
	if n := r.inFlight(); n != 0 {
		t.Errorf("%d in flight behind the drain", n)
	}
	if next(t, gave) == nil {
		t.Error("target gave everything away")
	}
	if n, err := io.Copy(io.Discard, w.r); n >= large {
		t.Errorf("got %d bytes, %v", n, err)
	}
}

func TestReadAhead_confinesAPanicToItsConnection(t *testing.T) {
	addr, _ := giving(t, fixed(large+1), payload(large)) // and waits for a request
	svc := leading(addr)
	svc.BufferMemory = 0
	r := newRig(t, Settings{BodyTimeout: -1}, svc)
	r.panics = 1
	r.server.spools.create = func() (spoolFile, error) { return panickingFile{}, nil }
	w := r.lazy()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "it panics", func() bool { return r.server.counters.Panics.Load() == 1 })
	if n, err := io.Copy(io.Discard, w.r); err == nil {
		t.Errorf("connection ended cleanly behind %d bytes", n)
	}
	eventually(t, "everything is given back", func() bool {
		return r.server.Counters()["upfront_spool_files"] == 0 && r.inFlight() == 0
	})
}

type panickingFile struct{}

func (panickingFile) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }
func (panickingFile) ReadAt([]byte, int64) (int, error)      { panic("trapped") }
func (panickingFile) Close() error                           { return nil }
