package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

var speaksHTTP2 = Settings{CleartextHTTP2: true}

// h2client is a client of net/http that speaks nothing but HTTP/2.
func (r *rig) h2client() *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	r.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// recording is a target that keeps the head of the last request.
func recording(t *testing.T, raw string) (target *rawTarget, heads chan string) {
	heads = make(chan string, 100)
	return newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		for {
			head, err := readHead(r)
			if err != nil {
				return
			}
			heads <- head
			if _, err := io.WriteString(c, raw); err != nil {
				return
			}
		}
	}), heads
}

func TestHTTP2_requestReachesTargetAsHTTP1(t *testing.T) {
	target, heads := recording(t, ok("hello"))
	r := newRig(t, speaksHTTP2, newService(target.addr))
	w := r.h2wire()
	w.get(1, "/a/../%2f//b?q=%zz&x", "x-one: 1", "x-two: 2", "x-two: 3", "cookie: a=1", "cookie: b=2", "te: trailers", "x-forwarded-for: 6.6.6.6")
	a := w.answer(1)
	if a.status != "200" || a.body != "hello" || !a.whole || a.header["content-length"] != "5" {
		t.Fatalf("got %+v, want 200, hello, whole, with its length", a)
	}
	head := next(t, heads)
	lines := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
	if want := "GET /a/../%2f//b?q=%zz&x HTTP/1.1"; lines[0] != want {
		t.Errorf("got %q, want the path byte for byte: %q", lines[0], want)
	}
	for _, want := range []string{
		"Host: a.example", "X-One: 1", "X-Two: 2", "X-Two: 3", "Cookie: a=1; b=2", "TE: trailers",
		"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: a.example",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is not among the lines of %q", want, head)
		}
	}
	if strings.Contains(head, "6.6.6.6") {
		t.Errorf("what the client says of itself went on: %q", head)
	}
	eventually(t, "the log has the version", func() bool { return strings.Contains(r.log.String(), `"proto":"HTTP/2.0"`) })
	if line := r.log.String(); !strings.Contains(line, `"client_addr":"127.0.0.1"`) || !strings.Contains(line, `"resp_content_length":5`) {
		t.Errorf("got the log line %q, want the client's address and the length", line)
	}
}

func TestHTTP2_refusesWhatCouldBeReadInTwoWays(t *testing.T) {
	base := func(lines ...string) []string { return append([]string{":method: GET", ":scheme: http"}, lines...) }
	for _, test := range []struct {
		name  string
		lines []string
		want  string // status, or "reset"
	}{
		{"host agrees", base(":path: /", ":authority: a.example", "host: A.example"), "200"},
		{"host alone", base(":path: /", "host: a.example"), "200"},
		{"asterisk", []string{":method: OPTIONS", ":scheme: http", ":path: *", ":authority: a.example"}, "200"},
		{"host disagrees", base(":path: /", ":authority: a.example", "host: b.example"), "400"},
		{"one of two hosts disagrees", base(":path: /", ":authority: a.example", "host: a.example", "host: b.example"), "400"},
		{"no host", base(":path: /"), "400"},
		{"userinfo", base(":path: /", ":authority: a@a.example"), "reset"},
		{"two in a host", base(":path: /", ":authority: a.example, b.example"), "400"},
		{"absolute path", base(":path: http://b.example/", ":authority: a.example"), "400"},
		{"space in path", base(":path: /a b", ":authority: a.example"), "400"},
		{"version in path", base(":path: /a HTTP/1.1", ":authority: a.example"), "400"},
		{"fragment", base(":path: /a#b", ":authority: a.example"), "400"},
		{"space in method", []string{":method: GET /x", ":scheme: http", ":path: /", ":authority: a.example"}, "400"},
		{"trace", []string{":method: TRACE", ":scheme: http", ":path: /", ":authority: a.example"}, "405"},
		{"connect", []string{":method: CONNECT", ":authority: a.example:443"}, "501"},
		{"line break in value", base(":path: /", ":authority: a.example", "x-a: b\r\nx-c: d"), "reset"},
		{"line break in path", base(":path: /\r\nx: y", ":authority: a.example"), "reset"},
		{"upper case name", base(":path: /", ":authority: a.example", "X-A: b"), "reset"},
		{"connection", base(":path: /", ":authority: a.example", "connection: close"), "400"},
		{"transfer-encoding", base(":path: /", ":authority: a.example", "transfer-encoding: chunked"), "400"},
		{"te", base(":path: /", ":authority: a.example", "te: gzip"), "400"},
		{"length without body", base(":path: /", ":authority: a.example", "content-length: 5"), "400"},
		{"two lengths", base(":path: /", ":authority: a.example", "content-length: 0", "content-length: 0"), "400"},
		{"length of words", base(":path: /", ":authority: a.example", "content-length: five"), "400"},
		{"unknown expectation", base(":path: /", ":authority: a.example", "expect: miracles"), "417"},
		{"pseudo-header behind", base(":path: /", "x-a: b", ":authority: a.example"), "reset"},
	} {
		t.Run(test.name, func(t *testing.T) {
			target, heads := recording(t, ok("hello"))
			r := newRig(t, speaksHTTP2, newService(target.addr))
			w := r.h2wire()
			w.headers(1, true, test.lines...)
			got := w.answer(1)
			switch {
			case test.want == "reset":
				if got.reset == nil || *got.reset != http2.ErrCodeProtocol {
					t.Errorf("got %+v, want a reset for PROTOCOL_ERROR", got)
				}
			case got.status != test.want || !got.whole:
				t.Errorf("got %+v, want %s", got, test.want)
			}
			if reached := len(heads) > 0; reached != (test.want == "200") {
				t.Errorf("reached the target: %v", reached)
			}
		})
	}
}

func TestHTTP2_bodiesStreamBothWays(t *testing.T) {
	address := httpTarget(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
		w.Header().Set("Trailer", "X-Sum")
		b := make([]byte, 16)
		for {
			n, err := r.Body.Read(b)
			if n > 0 {
				_, _ = w.Write(b[:n])
				_ = http.NewResponseController(w).Flush()
			}
			if err != nil {
				break
			}
		}
		w.Header().Set("X-Sum", "all of "+r.Trailer.Get("X-End"))
	})
	for _, test := range []struct {
		name, length, announced string
		trailers                bool
	}{
		{"with length", "content-length: 6", "6", false},
		{"without", "x-none: 1", "-1", false},
		{"with trailers", "trailer: x-end", "-1", true},
		{"with length and trailers", "content-length: 6", "-1", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, speaksHTTP2, newService(address))
			w := r.h2wire()
			lines := []string{":method: POST", ":scheme: http", ":path: /", ":authority: a.example", test.length}
			if test.trailers && test.length[0] == 'c' {
				lines = append(lines, "trailer: x-end")
			}
			w.headers(1, false, lines...)
			w.data(1, false, "one")
			a := w.beginning("one") // before the request has ended
			w.data(1, !test.trailers, "two")
			if test.trailers {
				w.headers(1, true, "x-end: it")
			}
			rest := w.answer(1)
			if got := a.body + rest.body; got != "onetwo" || !rest.whole || a.header["x-length"] != test.announced {
				t.Errorf("got %q, %+v, %+v, want onetwo, whole, announced as %s", got, a, rest, test.announced)
			}
			want := "all of"
			if test.trailers {
				want += " it"
			}
			if got := rest.trailer["x-sum"]; got != want {
				t.Errorf("got the trailers %v, want x-sum: %q", rest.trailer, want)
			}
		})
	}
}

// beginning reads an answer until so much of its body is there.
func (w *h2wire) beginning(body string) (a h2answer) {
	w.t.Helper()
	for a.body != body {
		switch f := w.next().(type) {
		case *http2.MetaHeadersFrame:
			a.take(f)
		case *http2.DataFrame:
			a.body += string(f.Data())
		}
	}
	return a
}

func TestHTTP2_largeBodiesArriveWhole(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 64<<10) // 1 MB
	address := httpTarget(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		if r.Header.Get("X-Known") != "" {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		}
		_, _ = io.Copy(w, r.Body)
	})
	r := newRig(t, speaksHTTP2, newService(address))
	client := r.h2client()
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			var from io.Reader = strings.NewReader(body)
			if i%2 == 0 {
				from = io.MultiReader(from) // no length
			}
			req, _ := http.NewRequest(http.MethodPost, "http://"+r.addr+"/", from)
			if i%4 < 2 {
				req.Header.Set("X-Known", "1")
			}
			res, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			got, err := io.ReadAll(res.Body)
			if err != nil || string(got) != body {
				t.Errorf("got %d bytes, %v, want %d", len(got), err, len(body))
			}
			if res.ProtoMajor != 2 {
				t.Errorf("got version %s, want HTTP/2", res.Proto)
			}
		})
	}
	all.Wait()
}

func TestHTTP2_answersWithoutBody(t *testing.T) {
	for _, test := range []struct{ name, method, raw, length string }{
		{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", "1234"},
		{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", ""},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nEtag: x\r\n\r\n", "99"},
		{"empty", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := answering(t, test.raw)
			r := newRig(t, speaksHTTP2, newService(target.addr))
			w := r.h2wire()
			w.headers(1, true, ":method: "+test.method, ":scheme: http", ":path: /", ":authority: a.example")
			a := w.answer(1)
			if a.body != "" || !a.whole || a.header["content-length"] != test.length {
				t.Errorf("got %+v, want no body and the length %q", a, test.length)
			}
		})
	}
}

func TestHTTP2_answerKeepsItsFields(t *testing.T) {
	target := answering(t, "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-Odd: \t v \r\nConnection: x-gone\r\nX-Gone: 1\r\n"+
		"Keep-Alive: timeout=5\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
	r := newRig(t, speaksHTTP2, newService(target.addr))
	w := r.h2wire()
	w.get(1, "/")
	a := w.answer(1)
	if a.header["set-cookie"] != "a=1|b=2" || a.header["x-odd"] != "v" || a.header["date"] != "Mon, 01 Jan 2024 00:00:00 GMT" || a.body != "hi" {
		t.Errorf("got %+v, want the target's fields in their order", a)
	}
	for _, gone := range []string{"connection", "keep-alive", "transfer-encoding", "x-gone", "content-type"} {
		if value, there := a.header[gone]; there {
			t.Errorf("got %s: %q, want it gone, or not guessed", gone, value)
		}
	}
}

func TestHTTP2_interimAnswersArePassedOn(t *testing.T) {
	target := answering(t, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\n"+ok("hello"))
	r := newRig(t, speaksHTTP2, newService(target.addr))
	w := r.h2wire()
	w.get(1, "/")
	a := w.answer(1)
	if want := []string{"103 </a.css>", "103 </b.css>"}; !slices.Equal(a.interim, want) || a.body != "hello" || a.header["link"] != "" {
		t.Errorf("got %+v, want %q and then the answer", a, want)
	}
}

func TestHTTP2_targetIsAskedForTheContinue(t *testing.T) {
	for _, agrees := range []bool{true, false} {
		t.Run(fmt.Sprint(agrees), func(t *testing.T) {
			heads := make(chan string, 1)
			target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
				head, err := readHead(r)
				if err != nil {
					return
				}
				heads <- head
				if !agrees {
					_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
					return
				}
				_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
				b := make([]byte, 4)
				_, _ = io.ReadFull(r, b)
				_, _ = io.WriteString(c, ok(string(b)))
			})
			r := newRig(t, speaksHTTP2, newService(target.addr))
			continued := false
			ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got100Continue: func() { continued = true }})
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.addr+"/", strings.NewReader("body"))
			req.Header.Set("Expect", "100-continue")
			client := r.h2client()
			client.Transport.(*http.Transport).ExpectContinueTimeout = 10 * time.Second
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body := bodyOf(t, res)
			if head := next(t, heads); !strings.Contains(head, "Expect: 100-continue\r\n") {
				t.Errorf("got the head %q, want the target asked", head)
			}
			if continued != agrees || agrees && body != "body" || !agrees && res.StatusCode != 401 {
				t.Errorf("got %d %q, continued: %v", res.StatusCode, body, continued)
			}
		})
	}
}

func TestHTTP2_targetThatKnowsNoContinueGetsTheBody(t *testing.T) {
	address := httpTarget(t, func(w http.ResponseWriter, r *http.Request) {
		// Hijacked, so that nobody sends a 100.
		conn, rw, _ := http.NewResponseController(w).Hijack()
		defer conn.Close()
		b := make([]byte, 4)
		_, _ = io.ReadFull(rw, b)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"+string(b))
	})
	r := newRig(t, speaksHTTP2, newService(address))
	w := r.h2wire()
	w.headers(1, false, ":method: POST", ":scheme: http", ":path: /", ":authority: a.example", "content-length: 4", "expect: 100-continue")
	w.data(1, true, "body")
	if a := w.answer(1); a.status != "200" || a.body != "body" {
		t.Errorf("got %+v, want 200 body", a)
	}
}

// However short the waits for its body are: what the client waits for is the 100.
func TestHTTP2_clientIsAskedInTimeForItsBody(t *testing.T) {
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		_, _ = readHead(r) // it knows no 100
		b := make([]byte, 4)
		_, _ = io.ReadFull(r, b)
		_, _ = io.WriteString(c, ok(string(b)))
	})
	r := newRig(t, Settings{CleartextHTTP2: true, BodyTimeout: patience / 3}, newService(target.addr))
	w := r.h2wire()
	w.headers(1, false, ":method: POST", ":scheme: http", ":path: /", ":authority: a.example", "content-length: 4", "expect: 100-continue")
	if f, ok := w.next().(*http2.MetaHeadersFrame); !ok || f.PseudoValue("status") != "100" {
		t.Fatalf("got %v, want a 100", f)
	}
	w.data(1, true, "body")
	if a := w.answer(1); a.status != "200" || a.body != "body" {
		t.Errorf("got %+v, want 200 body", a)
	}
}

func TestHTTP2_earlyAnswerEndsTheStream(t *testing.T) {
	for _, status := range []string{"200 OK", "413 Content Too Large"} {
		t.Run(status, func(t *testing.T) {
			target, _ := recording(t, "HTTP/1.1 "+status+"\r\nContent-Length: 5\r\n\r\nearly")
			r := newRig(t, speaksHTTP2, newService(target.addr))
			w := r.h2wire()
			w.headers(1, false, ":method: POST", ":scheme: http", ":path: /", ":authority: a.example")
			w.data(1, false, "begin")
			a := w.answer(1)
			if a.status != status[:3] || a.body != "early" || !a.whole {
				t.Fatalf("got %+v, want the early answer", a)
			}
			for {
				f, ok := w.next().(*http2.RSTStreamFrame)
				if !ok {
					continue
				}
				if f.ErrCode != http2.ErrCodeNo {
					t.Errorf("got reset with %v, want NO_ERROR", f.ErrCode)
				}
				break
			}
			w.get(3, "/") // the connection lives on
			if a := w.answer(3); a.status != status[:3] {
				t.Errorf("got %+v on the next stream", a)
			}
		})
	}
}

func TestHTTP2_targetHearsAtOnceThatTheClientLeft(t *testing.T) {
	for _, test := range []struct {
		name  string
		leave func(w *h2wire)
	}{
		{"stream reset", func(w *h2wire) { w.ok(w.framer.WriteRSTStream(1, http2.ErrCodeCancel)) }},
		{"connection closed", func(w *h2wire) { _ = w.conn.Close() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked, left := make(chan struct{}), make(chan struct{})
			target := newRawTarget(t, func(_ net.Conn, r *bufio.Reader) {
				if _, err := readHead(r); err != nil {
					return
				}
				close(asked)
				_, _ = r.ReadByte()
				close(left)
			})
			r := newRig(t, speaksHTTP2, newService(target.addr))
			w := r.h2wire()
			w.get(1, "/")
			next(t, asked)
			test.leave(w)
			next(t, left)
			eventually(t, "it is logged", func() bool { return strings.Contains(r.log.String(), `"status":499`) })
		})
	}
}

func TestHTTP2_cutAnswerNeverLooksWhole(t *testing.T) {
	for name, raw := range map[string]string{
		"length":   "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
		"chunks":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"in chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf",
	} {
		t.Run(name, func(t *testing.T) {
			target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
				if _, err := readHead(r); err == nil {
					_, _ = io.WriteString(c, raw)
				}
			})
			r := newRig(t, speaksHTTP2, newService(target.addr))
			w := r.h2wire()
			w.get(1, "/")
			a := w.answer(1)
			if a.whole || a.reset == nil || *a.reset == http2.ErrCodeNo {
				t.Errorf("got %+v, want the stream reset", a)
			}
		})
	}
}

func TestHTTP2_eventsArriveOneByOne(t *testing.T) {
	step := make(chan struct{})
	address := httpTarget(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for range 3 {
			_, _ = io.WriteString(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
			<-step
		}
	})
	r := newRig(t, speaksHTTP2, newService(address))
	res, err := r.h2client().Get("http://" + r.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	lines := textproto.NewReader(bufio.NewReader(res.Body))
	for range 3 {
		if line, err := lines.ReadLine(); err != nil || line != "data: x" {
			t.Fatalf("got %q, %v", line, err)
		}
		_, _ = lines.ReadLine()
		step <- struct{}{} // only now the next is sent
	}
	if _, err := lines.ReadLine(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end", err)
	}
}
