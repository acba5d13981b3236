package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"upfront/internal/load"
)

// startStreaming starts a proxy in front of a target that answers as answer does.
func startStreaming(t *testing.T, answer func(x *asked) bool, flags ...string) *proxy {
	t.Helper()
	p := startProxy(t, proxyOptions{})
	target := startRaw(t, &rawTarget{answer: answer})
	p.do(t, append([]string{"deploy", "web", "--target", target.address}, flags...)...)
	return p
}

// streams are answers that come piece by piece.
var streams = []struct {
	name, head string
	piece, end string // piece with %d; as the target sends them
}{
	{"server-sent events", "Content-Type: text/event-stream\r\n\r\n", "data: %d\n\n", ""},
	{"chunked", "Transfer-Encoding: chunked\r\n\r\n", "9\r\ndata: %d\n\n\r\n", "0\r\n\r\n"},
	{"of known length", "Content-Length: 90\r\n\r\n", "data: %d\n\n", ""},
}

// The client has each piece before the target sends the next: whatever the framing,
// nothing is held back.
func TestSoakStreaming_holdsNothingBack(t *testing.T) {
	const pieces = 10
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) {
			had := make(chan struct{}) // the client had the last one
			p := startStreaming(t, func(x *asked) bool {
				x.say("HTTP/1.1 200 OK\r\n" + s.head)
				for i := range pieces {
					x.say(fmt.Sprintf(s.piece, i))
					if await(had) != nil {
						return false
					}
				}
				x.say(s.end)
				return false
			})
			c := dialProxy(t, p)
			_, _ = io.WriteString(c.c, "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
			resp, err := http.ReadResponse(c.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			for i := range pieces {
				want := fmt.Sprintf("data: %d\n\n", i)
				got := make([]byte, len(want))
				if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != want {
					t.Fatalf("piece %d: got %q, %v, want %q before the next is sent", i, got, err, want)
				}
				had <- struct{}{}
			}
			// A known length ends with its last piece, the others with the stream.
			if s.name == "of known length" {
				return
			}
			if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
				t.Errorf("after the last piece: %q, %v", rest, err)
			}
		})
	}
}

// The target has each piece of an upload, and the client its echo, before the next
// is sent.
func TestSoakStreaming_goesBothWaysAtOnce(t *testing.T) {
	p := startStreaming(t, func(x *asked) bool {
		x.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		var piece [4 << 10]byte
		for {
			n, err := x.Body.Read(piece[:])
			if n > 0 {
				x.say(fmt.Sprintf("%x\r\n%s\r\n", n, piece[:n]))
			}
			if err != nil {
				x.say("0\r\n\r\n")
				return false
			}
		}
	})
	c := dialProxy(t, p)
	_, _ = io.WriteString(c.c, "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n")
	var body io.Reader
	for i := range 100 {
		sent := strings.Repeat(itoa(i)+" ", i+1)
		_, _ = fmt.Fprintf(c.c, "%x\r\n%s\r\n", len(sent), sent)
		if body == nil {
			resp, err := http.ReadResponse(c.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }() //nolint:revive // once
			body = resp.Body
		}
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(body, got); err != nil || string(got) != sent {
			t.Fatalf("echo %d: got %.60q, %v, want %.60q before the upload goes on", i, got, err, sent)
		}
	}
	_, _ = io.WriteString(c.c, "0\r\n\r\n")
	if rest, err := io.ReadAll(body); err != nil || len(rest) > 0 {
		t.Errorf("after the upload: %q, %v", rest, err)
	}
}

// pattern is what large bodies repeat; its length is no power of two, so that no
// buffer ends where it does.
var pattern = func() []byte {
	b := make([]byte, 1<<20+7)
	for i := range b {
		b[i] = byte(i*i>>7 ^ i)
	}
	return b
}()

// writePattern writes n bytes of it.
func writePattern(w io.Writer, n int) error {
	for at := 0; at < n; at += len(pattern) {
		if _, err := w.Write(pattern[:min(len(pattern), n-at)]); err != nil {
			return err
		}
	}
	return nil
}

// readPattern reads and verifies n bytes of it.
func readPattern(r io.Reader, n int) error {
	buf := make([]byte, 256<<10)
	for at := 0; at < n; {
		got, err := io.ReadAtLeast(r, buf[:min(len(buf), n-at, len(pattern)-at%len(pattern))], 1)
		if err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", at, n, err)
		}
		if want := pattern[at%len(pattern):][:got]; !bytes.Equal(buf[:got], want) {
			return fmt.Errorf("wrong bytes after %d", at)
		}
		at += got
	}
	return nil
}

// bulkMemory is what large bodies may cost, in KB.
const bulkMemory = 16 << 10

// Large bodies, up, down and both at once, need no memory; nor does a reader that
// stops in the middle.
func TestSoakStreaming_ofLargeBodiesNeedsNoMemory(t *testing.T) {
	size := scale(32<<20, 1<<30)
	p := startStreaming(t, func(x *asked) bool {
		up := x.Method == http.MethodPost
		var sending sync.WaitGroup
		if !up || x.URL.Path == "/both" {
			x.say("HTTP/1.1 200 OK\r\nContent-Length: " + itoa(size) + "\r\n\r\n")
			sending.Go(func() { _ = writePattern(x.conn, size) })
		}
		var err error
		if up {
			err = readPattern(x.Body, size)
		}
		sending.Wait()
		if x.URL.Path == "/" && up {
			text := fmt.Sprint("read it all: ", err)
			x.say("HTTP/1.1 200 OK\r\nContent-Length: " + itoa(len(text)) + "\r\n\r\n" + text)
		}
		return err == nil
	})
	status, _, _ := ask(t, p.address, host, "/")
	if status != http.StatusOK {
		t.Fatalf("answer = %d", status)
	}
	post := "POST %s HTTP/1.1\r\nHost: app.test\r\nContent-Length: " + itoa(size) + "\r\n\r\n"
	for _, b := range []bulk{
		{name: "up", request: fmt.Sprintf(post, "/"), up: true},
		{name: "down", request: "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n", down: true},
		{name: "both at once", request: fmt.Sprintf(post, "/both"), up: true, down: true},
		{name: "down, with a rest", request: "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n", down: true, rests: true},
	} {
		t.Run(b.name, func(t *testing.T) {
			before, _ := p.resources(t)
			p.resetPeak(t)
			began := time.Now()
			if err := b.move(t, dialProxy(t, p), size); err != nil {
				t.Error(err)
			}
			took := time.Since(began)
			t.Logf("%d MB in %v, %.0f MB/s", size>>20, took.Round(time.Millisecond), float64(size>>20)/took.Seconds())
			p.expectPeak(t, before, bulkMemory)
		})
	}
}

// bulk is an exchange with large bodies.
type bulk struct {
	name, request   string
	up, down, rests bool // rests: the client stops reading for a while
}

func (b bulk) move(t *testing.T, c rawConn, size int) error {
	_ = c.c.SetDeadline(time.Now().Add(3 * time.Minute))
	_, _ = io.WriteString(c.c, b.request)
	var sending sync.WaitGroup
	if b.up {
		sending.Go(func() { _ = writePattern(c.c, size) }) // what is missing will be told
	}
	defer sending.Wait()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("answer = %v, %v", resp, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if b.rests {
		let(t, 2*time.Second) // the target has much to send meanwhile
	}
	if b.down {
		return readPattern(resp.Body, size)
	}
	if text, _ := io.ReadAll(resp.Body); string(text) != "read it all: <nil>" {
		return fmt.Errorf("the target says: %q", text)
	}
	return nil
}

// Many streams at once: every event of every one arrives, in order, when it is
// sent.
func TestSoakStreaming_ofManyEventStreams(t *testing.T) {
	streams, events, every := scale(100, 1000), scale(10, 60), scaleTime(100*time.Millisecond, time.Second)
	// The target and the clients are here, so that their clock is the same.
	p := startStreaming(t, func(x *asked) bool {
		x.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n")
		next := time.NewTicker(every)
		defer next.Stop()
		for i := range events {
			x.say(fmt.Sprintf("id: %d\ndata: %s %d\n\n", i, x.URL.Path, time.Now().UnixNano()))
			<-next.C
		}
		return false
	})
	before, _ := p.resources(t)
	var wrong faults
	var mu sync.Mutex
	var late load.Histogram
	var all sync.WaitGroup
	for i := range streams {
		all.Go(func() {
			one, err := followEvents(t.Context(), p.address, "/stream-"+itoa(i), events)
			if err != nil {
				wrong.add(err)
			}
			mu.Lock()
			defer mu.Unlock()
			late.Merge(one)
		})
	}
	let(t, time.Duration(events)*every/2)
	now, _ := p.resources(t)
	t.Logf("%d streams: %.1f KB each; before %v, now %v", streams, float64(now.resident-before.resident)/float64(streams), before, now)
	all.Wait()
	wrong.expectNone(t)
	if got, want := late.Count(), uint64(streams*events); got != want {
		t.Errorf("%d events arrived, want %d", got, want)
	}
	t.Logf("%d events, each on its way for p50 %v, p99 %v, at most %v", late.Count(), late.Quantile(0.5), late.Quantile(0.99), late.Max())
	p.expectDescriptors(t, before)
}

// followEvents reads a stream to its end and verifies every event of it.
func followEvents(ctx context.Context, address, path string, events int) (*load.Histogram, error) {
	var late load.Histogram
	c, err := dialRaw(ctx, address)
	if err != nil {
		return &late, err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(3 * time.Minute))
	_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: app.test\r\nAccept: text/event-stream\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReaderSize(c, 1<<10), nil)
	if err != nil {
		return &late, err
	}
	defer func() { _ = resp.Body.Close() }()
	in := bufio.NewReaderSize(resp.Body, 1<<10)
	for i := range events {
		var id, sent int64
		var of string
		if _, err := fmt.Fscanf(in, "id: %d\ndata: %s %d\n\n", &id, &of, &sent); err != nil || id != int64(i) || of != path {
			return &late, fmt.Errorf("event %d of %s: got %d of %q: %w", i, path, id, of, err)
		}
		late.Add(time.Since(time.Unix(0, sent)))
	}
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		return &late, fmt.Errorf("end of %s: %q, %w", path, rest, err)
	}
	return &late, nil
}

// A target that refuses an upload, or we ourselves, is heard while the client still
// sends, also by a client that reads only when it has sent all.
func TestSoakStreaming_refusesAnUploadEarly(t *testing.T) {
	const size = 100 << 20
	target := func(x *asked) bool {
		if x.Method == http.MethodGet {
			x.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			return true
		}
		if x.URL.Path == "/slow" {
			_, err := io.Copy(io.Discard, x.Body)
			return err == nil
		}
		x.say("HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\nConnection: close\r\n\r\nnobody")
		if x.URL.Path == "/rude" {
			return false // closes with much unread
		}
		_ = x.conn.CloseWrite()
		_, _ = io.Copy(io.Discard, x.conn)
		return false
	}
	for _, c := range []struct {
		name, path string
		status     int
		flags      []string
	}{
		{"by the target", "/", 401, nil},
		{"by a target that closes at once", "/rude", 401, nil},
		{"for its size", "/slow", 413, []string{"--max-request-body", "1000000"}},
	} {
		for _, chunked := range []bool{false, true} {
			for _, patient := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, chunked %v, reads late %v", c.name, chunked, patient), func(t *testing.T) {
					p := startStreaming(t, target, c.flags...)
					upload(t, dialProxy(t, p), c.path, size, chunked, patient, c.status)
				})
			}
		}
	}
}

// upload sends size bytes and expects status, before it has sent them all unless
// it is patient.
func upload(t *testing.T, c rawConn, path string, size int, chunked, patient bool, status int) {
	t.Helper()
	framing := "Content-Length: " + itoa(size)
	if chunked {
		framing = "Transfer-Encoding: chunked"
	}
	_, _ = io.WriteString(c.c, "POST "+path+" HTTP/1.1\r\nHost: app.test\r\n"+framing+"\r\n\r\n")
	heard := make(chan struct{})
	sent := make(chan error, 1)
	until := heard
	if patient {
		until = nil
	}
	go func() { sent <- sendUntil(c.c, size, chunked, until) }()
	if patient {
		if err := <-sent; err != nil {
			t.Fatalf("send all before reading: %v", err)
		}
	}
	resp := c.expect(t, status)
	close(heard)
	if !resp.Close {
		t.Errorf("answer to an upload that is not read has no Connection: close: %v", resp.Header)
	}
	if !patient {
		if err := <-sent; !errors.Is(err, errHeard) {
			t.Errorf("all was sent before the answer came: %v", err)
		}
	}
}

var errHeard = errors.New("stopped sending: the answer came")

// sendUntil sends a body until heard, for which it waits before the last piece: an
// answer that does not come early never comes. With nil it sends all.
func sendUntil(w net.Conn, size int, chunked bool, heard <-chan struct{}) error {
	piece := make([]byte, 64<<10)
	if chunked {
		piece = fmt.Appendf(nil, "%x\r\n%s\r\n", 1<<16-16, make([]byte, 1<<16-16))
	}
	for at := 0; at < size; at += len(piece) {
		select {
		case <-heard:
			return errHeard
		default:
		}
		if at+len(piece) >= size && heard != nil {
			continue
		}
		if _, err := w.Write(piece[:min(len(piece), size-at)]); err != nil {
			return err
		}
	}
	if heard == nil {
		return nil
	}
	return errors.Join(await(heard), errHeard)
}

// curl, whose judgement is not ours, sees early hints, and trailers.
func TestSoakStreaming_passesHintsAndTrailersToCurl(t *testing.T) {
	curl := requireProgram(t, "curl")
	p := startStreaming(t, func(x *asked) bool {
		_, err := io.Copy(io.Discard, x.Body)
		x.say("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
		x.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n")
		return err == nil
	})
	out, err := exec.Command(curl, "-sS", "-D", "-", "--max-time", "20", "--data-binary", "body", "http://"+p.address+"/").CombinedOutput()
	got := strings.ReplaceAll(string(out), "\r", "")
	if err != nil {
		t.Fatalf("curl: %v: %s", err, got)
	}
	rest := got
	for _, want := range []string{"HTTP/1.1 103 Early Hints\n", "Link: </style.css>; rel=preload\n", "HTTP/1.1 200 OK\n", "hello", "X-Sum: 42\n"} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("curl shows no %q, or not in this order:\n%s", want, got)
		}
		rest = after
	}
}
