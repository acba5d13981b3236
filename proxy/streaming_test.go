package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var calls atomic.Uint32

// payload is n bytes that no other call returns.
func payload(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(calls.Add(1))}).Read(b)
	return b
}

func TestServer_passesEachPieceOnBeforeTheNextIsSent(t *testing.T) {
	for _, framing := range []struct{ name, head, pieces string }{
		{"fixed", "Content-Length: 9\r\n", "one,two,end"},
		{"chunked", "Transfer-Encoding: chunked\r\n", "3\r\none\r\n,3\r\ntwo\r\n,0\r\n\r\n"},
		{"until close", "Connection: close\r\n", "one,two,"},
		{"events", "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n", "b\r\ndata: one\n\n\r\n,b\r\ndata: two\n\n\r\n,0\r\n\r\n"},
	} {
		t.Run(framing.name, func(t *testing.T) {
			goOn := make(chan struct{})
			pieces := strings.Split(framing.pieces, ",")
			target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
				if _, err := readHead(r); err != nil {
					return
				}
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+framing.head+"\r\n")
				for _, piece := range pieces {
					<-goOn
					_, _ = io.WriteString(c, piece)
				}
			})
			r := newRig(t, Settings{}, newService(target.addr))
			w := r.wire()
			w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if head := w.head(); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") {
				t.Fatalf("got head %q", head)
			}
			for i, piece := range pieces {
				goOn <- struct{}{}
				switch {
				case framing.name != "until close":
				case i == len(pieces)-1:
					piece = "0\r\n\r\n"
				default:
					piece = fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
				}
				w.exactly(piece)
			}
		})
	}
}

func TestServer_streamsBothWaysAtOnce(t *testing.T) {
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		for {
			if _, err := readHead(r); err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			for line := ""; line != "0\r\n"; { // chunks come back as they are
				var err error
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
				_, _ = io.WriteString(c, line)
			}
			end, _ := r.ReadString('\n')
			_, _ = io.WriteString(c, end)
		}
	})
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	w.head()
	for i := range 50 {
		body := payload(1 + 100*i)
		chunk := fmt.Sprintf("%x\r\n%s\r\n", len(body), body)
		w.send(chunk)
		w.exactly(chunk)
	}
	w.send("0\r\n\r\n")
	w.exactly("0\r\n\r\n")
	// The connection serves on.
	w.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	if _, body := w.receive("POST"); body != "" {
		t.Fatalf("got %q", body)
	}
}

// mirror answers with the request's body, framed as the query asks.
func mirror(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	switch r.URL.RawQuery {
	case "fixed":
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	case "close":
		w.Header().Set("Transfer-Encoding", "identity")
		w.Header().Set("Connection", "close")
		w.(http.Flusher).Flush()
	default:
		w.(http.Flusher).Flush()
	}
	for len(body) > 0 {
		n := min(len(body), 1+rand.IntN(100_000))
		_, _ = w.Write(body[:n])
		body = body[n:]
	}
}

func TestServer_carriesBodiesOfEverySizeAndFraming(t *testing.T) {
	addr := httpTarget(t, mirror)
	r := newRig(t, Settings{}, newService(addr))
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, size := range []int{0, 1, 300, 20 << 10, 1 << 20} {
		body := payload(size)
		for _, up := range []string{"fixed", "chunked"} {
			for _, down := range []string{"fixed", "chunked", "close"} {
				var reader io.Reader = bytes.NewReader(body)
				if up == "chunked" {
					reader = io.MultiReader(reader)
				}
				res, err := client.Post("http://"+r.addr+"/?"+down, "text/plain", reader)
				if err != nil {
					t.Fatalf("%d bytes, %s up, %s down: %v", size, up, down, err)
				}
				got, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if err != nil || !bytes.Equal(got, body) {
					t.Fatalf("%d bytes, %s up, %s down: got %d bytes and %v", size, up, down, len(got), err)
				}
			}
		}
	}
}

func TestServer_carriesTenMegabytesBothWays(t *testing.T) {
	r := newRig(t, Settings{}, newService(httpTarget(t, mirror)))
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	body := payload(10 << 20)
	res, err := client.Post("http://"+r.addr+"/?chunked", "text/plain", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || !bytes.Equal(got, body) {
		t.Fatalf("got %d bytes and %v", len(got), err)
	}
}

func TestServer_carriesManyBodiesAtOnce(t *testing.T) {
	addr := httpTarget(t, mirror)
	r := newRig(t, Settings{}, newService(addr, addr))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			for n := range 40 {
				body := payload(1 + rand.IntN(70_000))
				var reader io.Reader = bytes.NewReader(body)
				if n%2 == 0 {
					reader = io.MultiReader(reader)
				}
				down := []string{"fixed", "chunked"}[i%2]
				res, err := client.Post("http://"+r.addr+"/?"+down, "text/plain", reader)
				if err != nil {
					t.Errorf("%d bytes: %v", len(body), err)
					return
				}
				got, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if err != nil || !bytes.Equal(got, body) {
					t.Errorf("%d bytes: got %d bytes and %v", len(body), len(got), err)
				}
			}
		})
	}
	running.Wait()
}

func TestServer_sendsNoBodyWhereThereIsNone(t *testing.T) {
	for _, c := range []struct {
		name, method, answer, wantLength string
		wantDials                        uint64
	}{
		{"HEAD with a length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "5", 3},
		{"HEAD with chunks announced", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "", 3},
		{"HEAD with nothing", "HEAD", "HTTP/1.1 200 OK\r\n\r\n", "", 3},
		{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", "", 1},
		{"204 with chunks announced", "GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", "", 3},
		{"304 with chunks announced", "GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", "", 3},
		{"204 with a length", "DELETE", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "", 1},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", "", 1},
		{"304 with a length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", "500", 1},
		{"200 of nothing", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "0", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := answering(t, c.answer)
			r := newRig(t, Settings{}, newService(target.addr))
			w := r.wire()
			for range 3 { // the same connection, so that what is left over would show
				w.send(c.method + " / HTTP/1.1\r\nHost: a\r\n\r\n")
				res, body := w.receive(c.method)
				if got := res.Header.Get("Content-Length"); body != "" || got != c.wantLength {
					t.Fatalf("got body %q and Content-Length %q, want %q", body, got, c.wantLength)
				}
			}
			if got := r.server.counters.Dials.Load(); got != c.wantDials {
				t.Errorf("target was dialled %d times, want %d", got, c.wantDials)
			}
		})
	}
}

func TestServer_pipelinesRequestsWithBodies(t *testing.T) {
	addr := httpTarget(t, mirror)
	r := newRig(t, Settings{}, newService(addr))
	// All sizes of pieces, so that the next request arrives with the head, in
	// the middle of the upload, and behind its end.
	for _, piece := range []int{1 << 20, 40_000, 5000, 700, 61} {
		var all bytes.Buffer
		var want [][]byte
		for i := range 12 {
			body := payload([]int{0, 1, 10, 3000, 5000, 40_000}[i%6])
			want = append(want, body)
			if i%2 == 0 {
				fmt.Fprintf(&all, "POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
				continue
			}
			fmt.Fprintf(&all, "POST /?chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
			for rest := body; len(rest) > 0; {
				n := min(len(rest), 1+rand.IntN(9000))
				fmt.Fprintf(&all, "%04x;ext=\"1\"\r\n%s\r\n", n, rest[:n])
				rest = rest[n:]
			}
			all.WriteString("0\r\nX-Late: 1\r\n\r\n")
		}
		w := r.wire()
		var running sync.WaitGroup
		running.Go(func() {
			for raw := all.Bytes(); len(raw) > 0; {
				n := min(piece, len(raw))
				if _, err := w.Write(raw[:n]); err != nil {
					t.Errorf("write: %v", err)
					return
				}
				raw = raw[n:]
			}
		})
		for i, body := range want {
			if _, got := w.receive("POST"); got != string(body) {
				t.Fatalf("pieces of %d: answer %d has %d bytes, want %d", piece, i, len(got), len(body))
			}
		}
		running.Wait()
		_ = w.Close()
	}
}

func TestServer_answersWhatFollowsABodyAsARequest(t *testing.T) {
	addr := httpTarget(t, mirror)
	r := newRig(t, Settings{}, newService(addr))
	w := r.wire()
	w.send("POST /?fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc{surplus}\r\n\r\n")
	if _, body := w.receive("POST"); body != "abc" {
		t.Fatalf("got %q, want the announced bytes only", body)
	}
	if res, _ := w.receive("GET"); res.StatusCode != 400 || !res.Close {
		t.Fatalf("got %d, close %v, want 400 and a close", res.StatusCode, res.Close)
	}
	w.ends(true)
}

func TestServer_streamsASlowBodyOfKnownLengthWithoutHoldingBack(t *testing.T) {
	got := make(chan string)
	addr := httpTarget(t, func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 10)
		for {
			n, err := r.Body.Read(buf)
			if n > 0 {
				select {
				case got <- string(buf[:n]):
				case <-r.Context().Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	r := newRig(t, Settings{}, newService(addr))
	w := r.wire()
	w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
	for _, piece := range []string{"one", "two", "end"} {
		w.send(piece)
		if p := <-got; p != piece {
			t.Fatalf("target read %q, want %q", p, piece)
		}
	}
	if res, _ := w.receive("POST"); res.StatusCode != 200 {
		t.Fatalf("got %d", res.StatusCode)
	}
}

func TestServer_usesOneConnectionToTheTargetAgain(t *testing.T) {
	addr := httpTarget(t, mirror)
	r := newRig(t, Settings{}, newService(addr))
	r.svc.Pool.Targets()[0].Transport().(*transport).trust.open(time.Minute)
	w := r.wire()
	for i := range 20 {
		body := payload(i * 1000)
		w.send(fmt.Sprintf("POST /?%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", []string{"fixed", "chunked"}[i%2], len(body)), string(body))
		if _, got := w.receive("POST"); got != string(body) {
			t.Fatalf("answer %d: got %d bytes, want %d", i, len(got), len(body))
		}
	}
	if got := r.server.counters.Dials.Load(); got != 1 {
		t.Errorf("target was dialled %d times, want once", got)
	}
}

func TestServer_serveEndsWithoutARequest(t *testing.T) {
	r := newRig(t, Settings{}, newService(answering(t, ok("x")).addr))
	w := r.wire()
	eventually(t, "the connection is known", func() bool { return r.server.Counters()["upfront_connections"] == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = r.server.Shutdown(ctx)
	w.ends(true)
}
