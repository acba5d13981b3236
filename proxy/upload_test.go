package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const tenMB = 10 << 20

// uploadAll writes a body of n bytes, as a client does that does not look up
// before it is done, and returns what went wrong.
func (w *wire) uploadAll(n int) error {
	piece := payload(64 << 10)
	for n > 0 {
		size := min(n, len(piece))
		if _, err := w.Write(piece[:size]); err != nil {
			return err
		}
		n -= size
	}
	return nil
}

func TestServer_passesAnEarlyAnswerOnWhileTheClientIsSending(t *testing.T) {
	for _, c := range []struct {
		name  string
		after func(net.Conn, *bufio.Reader)
	}{
		{"and closes", func(net.Conn, *bufio.Reader) {}},
		{"and resets", func(c net.Conn, _ *bufio.Reader) { _ = c.(*net.TCPConn).SetLinger(0) }},
		{"and reads nothing more", func(c net.Conn, _ *bufio.Reader) {
			var b [1]byte
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			for { // until the proxy lets go, without draining what was sent
				if _, err := c.Read(b[:]); err != nil {
					return
				}
			}
		}},
		{"and reads on", func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := newRawTarget(t, func(conn net.Conn, r *bufio.Reader) {
				if _, err := readHead(r); err != nil {
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nbig\n")
				c.after(conn, r)
			})
			r := newRig(t, Settings{}, newService(target.addr))
			w := r.wire()
			w.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", tenMB))
			if err := w.uploadAll(tenMB); err != nil {
				t.Errorf("the upload broke off: %v", err)
			}
			res, body := w.receive("POST")
			if res.StatusCode != 413 || body != "big\n" || !res.Close {
				t.Fatalf("got %d %q, close %v", res.StatusCode, body, res.Close)
			}
			w.ends(true)
		})
	}
}

func TestServer_refusesABodyAnnouncedTooLarge(t *testing.T) {
	var seen atomic.Int32
	addr := httpTarget(t, func(http.ResponseWriter, *http.Request) { seen.Add(1) })
	svc := newService(addr)
	svc.MaxRequestBody = 1000
	r := newRig(t, Settings{}, svc)
	w := r.wire()
	w.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", tenMB))
	if err := w.uploadAll(tenMB); err != nil {
		t.Errorf("the upload broke off: %v", err)
	}
	if res, _ := w.receive("POST"); res.StatusCode != 413 || !res.Close {
		t.Fatalf("got %d, close %v", res.StatusCode, res.Close)
	}
	w.ends(true)
	if seen.Load() != 0 {
		t.Error("the target saw the request")
	}
	w = r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", string(payload(1000)))
	if res, _ := w.receive("POST"); res.StatusCode != 200 {
		t.Fatalf("got %d for a body at the limit", res.StatusCode)
	}
}

func TestServer_refusesAChunkedBodyThatGrowsTooLarge(t *testing.T) {
	complete := make(chan bool, 8)
	addr := httpTarget(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		complete <- err == nil
	})
	svc := newService(addr)
	svc.MaxRequestBody = 100_000
	r := newRig(t, Settings{}, svc)
	for _, c := range []struct {
		name   string
		chunks int
		want   int
	}{{"at once", 1, 200}, {"at the limit", 10, 200}, {"one more", 11, 413}, {"much more", 200, 413}} {
		t.Run(c.name, func(t *testing.T) {
			w := r.wire()
			w.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
			for range c.chunks {
				w.send(fmt.Sprintf("%x\r\n%s\r\n", 10_000, payload(10_000)))
			}
			w.send("0\r\n\r\n")
			if res, _ := w.receive("POST"); res.StatusCode != c.want {
				t.Fatalf("got %d, want %d", res.StatusCode, c.want)
			}
			select {
			case whole := <-complete:
				if whole != (c.want == 200) {
					t.Errorf("target took the body for whole: %v", whole)
				}
			case <-time.After(5 * time.Second):
				t.Error("target never saw the end")
			}
		})
	}
}

func TestServer_endsTheTargetsRequestWhenAChunkIsMalformed(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late %v", late), func(t *testing.T) {
			complete, began := make(chan bool, 1), make(chan struct{})
			addr := httpTarget(t, func(_ http.ResponseWriter, r *http.Request) {
				var b [3]byte
				_, err := io.ReadFull(r.Body, b[:])
				close(began)
				if err == nil {
					_, err = io.Copy(io.Discard, r.Body)
				}
				complete <- err == nil
			})
			r := newRig(t, Settings{}, newService(addr))
			w := r.wire()
			w.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
			if late {
				w.send("3\r\nabc\r\n")
				<-began
			}
			w.send("x\r\n")
			if res, _ := w.receive("POST"); res.StatusCode != 400 || !res.Close {
				t.Fatalf("got %d, close %v", res.StatusCode, res.Close)
			}
			if late && <-complete {
				t.Error("target took the body for whole")
			}
			w.ends(true)
		})
	}
}

func TestServer_endsTheTargetsRequestWhenTheClientLeavesItShort(t *testing.T) {
	for _, how := range []string{"closes", "resets"} {
		for _, framing := range []string{"Content-Length: 100", "Transfer-Encoding: chunked"} {
			t.Run(how+" "+framing, func(t *testing.T) {
				complete, began := make(chan bool, 1), make(chan struct{})
				addr := httpTarget(t, func(_ http.ResponseWriter, r *http.Request) {
					var b [3]byte
					_, err := io.ReadFull(r.Body, b[:])
					close(began)
					if err == nil {
						_, err = io.Copy(io.Discard, r.Body)
					}
					complete <- err == nil
				})
				r := newRig(t, Settings{}, newService(addr))
				w := r.wire()
				w.send("POST / HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n\r\n3\r\nabc\r\n")
				<-began
				if how == "closes" {
					_ = w.Close()
				} else {
					w.reset()
				}
				if <-complete {
					t.Error("target took the body for whole")
				}
				eventually(t, "the client is counted as gone", func() bool { return r.server.counters.ClientsLeft.Load() == 1 })
			})
		}
	}
}

func TestServer_keepsTheConnectionWhenTheTargetAnswersBeforeItHasRead(t *testing.T) {
	read := make(chan int64, 1)
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		for {
			head, err := readHead(r)
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, ok("early"))
			if strings.HasPrefix(head, "POST") {
				n, _ := io.CopyN(io.Discard, r, 100_000)
				read <- n
			}
		}
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
	if _, body := w.receive("POST"); body != "early" {
		t.Fatalf("got %q", body)
	}
	w.send(string(payload(100_000)))
	if n := <-read; n != 100_000 {
		t.Fatalf("target read %d bytes of the body", n)
	}
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, body := w.receive("GET"); body != "early" {
		t.Fatalf("got %q", body)
	}
	if got := r.server.counters.Dials.Load(); got != 1 {
		t.Errorf("target was dialled %d times, want once", got)
	}
}

func TestServer_keepsTheConnectionAfterARefusalOfAWholeBody(t *testing.T) {
	addr := httpTarget(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(422)
	})
	r := newRig(t, Settings{}, newService(addr))
	w := r.wire()
	for range 50 {
		w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n", string(payload(20_000)))
		if res, _ := w.receive("POST"); res.StatusCode != 422 || res.Close {
			t.Fatalf("got %d, close %v", res.StatusCode, res.Close)
		}
	}
}

func TestServer_givesUpOnAnUploadWhoseAnswerIsLongComplete(t *testing.T) {
	cut := make(chan struct{})
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err != nil {
			return
		}
		_, _ = io.WriteString(c, ok("early"))
		_, _ = io.Copy(io.Discard, r)
		close(cut)
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc")
	if _, body := w.receive("POST"); body != "early" {
		t.Fatalf("got %q", body)
	}
	<-cut
	w.ends(true)
}

func TestServer_answers502WhenTheTargetDiesDuringTheUpload(t *testing.T) {
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := readHead(r); err != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, r, 1<<20)
		_ = c.(*net.TCPConn).SetLinger(0)
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", tenMB))
	if err := w.uploadAll(tenMB); err != nil {
		t.Errorf("the upload broke off: %v", err)
	}
	if res, _ := w.receive("POST"); res.StatusCode != 502 {
		t.Fatalf("got %d, want 502", res.StatusCode)
	}
}

func TestServer_neverTakesTheEndOfABodyForARequest(t *testing.T) {
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		if head, err := readHead(r); err == nil {
			_, _ = io.WriteString(c, ok(strings.Fields(head)[1])) // and closes, whatever comes
		}
	})
	for _, framing := range []string{"Content-Length: 1037", "Transfer-Encoding: chunked"} {
		r := newRig(t, Settings{}, newService(target.addr))
		w := r.wire()
		w.send("POST /first HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n\r\n")
		if _, body := w.receive("POST"); body != "/first" {
			t.Fatalf("got %q", body)
		}
		// The target resets upon the first piece, and the last one cannot be sent.
		for i, piece := range []string{strings.Repeat("x", 1000), "zz" + smuggled} {
			<-time.After(20 * time.Millisecond)
			if framing[0] == 'T' {
				piece = fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
			}
			if i == 1 && framing[0] == 'T' {
				piece += "0\r\n\r\n"
			}
			_, _ = io.WriteString(w, piece)
		}
		_, _ = io.WriteString(w, "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		rest, _ := io.ReadAll(w.r)
		if strings.Contains(string(rest), "/smuggled") || strings.Contains(string(rest), " 400 ") {
			t.Errorf("%s: a part of the body was taken for a request:\n%s", framing, rest)
		}
	}
}
