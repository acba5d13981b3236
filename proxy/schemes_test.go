package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"upfront/balancer"
	"upfront/dial"
	"upfront/health"
	"upfront/service"
)

// schemes are the ways in which a target of package net/http can be reached.
var schemes = []string{"tcp", "unix", "https", "h2c", "h2"}

// schemeTarget starts handler as a target of a scheme.
func schemeTarget(t *testing.T, scheme string, handler http.HandlerFunc) dial.Options {
	t.Helper()
	o := dial.Options{Network: "tcp", Address: "127.0.0.1:0", HTTP2: strings.HasPrefix(scheme, "h2")}
	if scheme == "unix" {
		o.Network, o.Address = "unix", filepath.Join(t.TempDir(), "t.sock")
	}
	ln, err := net.Listen(o.Network, o.Address)
	if err != nil {
		t.Fatal(err)
	}
	o.Address = ln.Addr().String()
	server := &http.Server{Handler: handler, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(!o.HTTP2)
	server.Protocols.SetUnencryptedHTTP2(scheme == "h2c")
	server.Protocols.SetHTTP2(scheme == "h2")
	serve := func() error { return server.Serve(ln) }
	if scheme == "https" || scheme == "h2" {
		ca := newAuthority(t)
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{ca.issue("localhost")}}
		o.TLS = &dial.TLS{CA: ca.file()}
		serve = func() error { return server.ServeTLS(ln, "", "") }
	}
	var running sync.WaitGroup
	running.Go(func() { _ = serve() })
	t.Cleanup(func() {
		_ = server.Close()
		running.Wait()
	})
	return o
}

// serviceOver is a service with one target.
func serviceOver(o dial.Options) *service.Service {
	target := balancer.NewTarget(balancer.TargetOptions{
		Address: o.Address, Health: health.Healthy,
		Transport: NewTransportBy(dial.New(o), func() time.Duration { return 5 * time.Second }),
	})
	return &service.Service{
		Name: "web", TargetTimeout: 5 * time.Second,
		Pool: balancer.NewPool([]*balancer.Target{target}, balancer.PoolOptions{}), Gate: service.NewGate(10),
	}
}

// overEach runs a test for a target of each scheme.
func overEach(t *testing.T, which []string, handler http.HandlerFunc, test func(t *testing.T, r *rig)) {
	for _, scheme := range which {
		t.Run(scheme, func(t *testing.T) {
			test(t, newRig(t, Settings{}, serviceOver(schemeTarget(t, scheme, handler))))
		})
	}
}

func TestScheme_carriesRequestsAndAnswers(t *testing.T) {
	overEach(t, schemes, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("X-Seen", fmt.Sprintf("%s %s %s %q", r.Method, r.RequestURI, r.Host, r.UserAgent()))
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body)
	}, func(t *testing.T, r *rig) {
		w := r.wire()
		large := strings.Repeat("0123456789abcdef", 40_000)
		for _, test := range []struct{ request, seen, body string }{
			{"GET /a//b?c=%zz HTTP/1.1\r\nHost: app.test\r\n\r\n", `GET /a//b?c=%zz app.test ""`, ""},
			{"GET //a HTTP/1.1\r\nHost: app.test\r\nUser-Agent: x\r\n\r\n", `GET //a app.test "x"`, ""},
			{"OPTIONS * HTTP/1.1\r\nHost: app.test\r\n\r\n", ``, ""},
			{"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello", `POST / app.test ""`, "hello"},
			{"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", `POST / app.test ""`, "hello"},
			{fmt.Sprintf("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: %d\r\n\r\n%s", len(large), large), `PUT / app.test ""`, large},
		} {
			w.send(test.request)
			res, body := w.receive(test.request[:strings.IndexByte(test.request, ' ')])
			if got := res.Header.Get("X-Seen"); res.StatusCode != 200 || got != test.seen {
				t.Errorf("%.40q: got %d, %q, want 200, %q", test.request, res.StatusCode, got, test.seen)
			}
			if body != test.body {
				t.Errorf("%.40q: got a body of %d bytes, want %d", test.request, len(body), len(test.body))
			}
		}
	})
}

func TestScheme_namesTheTargetWhereTheClientDoesNot(t *testing.T) {
	for _, scheme := range schemes {
		t.Run(scheme, func(t *testing.T) {
			o := schemeTarget(t, scheme, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) })
			r := newRig(t, Settings{}, serviceOver(o))
			want := o.Address
			if scheme == "unix" {
				want = "localhost"
			}
			if got := bodyOf(t, r.ask("GET / HTTP/1.0\r\n\r\n", "GET")); got != want {
				t.Errorf("got the host %q, want %q", got, want)
			}
		})
	}
}

func TestScheme_passesTrailersBothWays(t *testing.T) {
	overEach(t, schemes, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("X-Sum", r.Trailer.Get("X-Sum"))
		w.Header().Set(http.TrailerPrefix+"X-Late", r.Header.Get("Te"))
	}, func(t *testing.T, r *rig) {
		w := r.wire()
		w.send("POST / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: trailers\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n",
			"3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n")
		res, body := w.receive("POST")
		if body != "abc" || res.Trailer.Get("X-Sum") != "6" || res.Trailer.Get("X-Late") != "trailers" {
			t.Errorf("got %q with the trailers %v", body, res.Trailer)
		}
	})
}

func TestScheme_passesInterimAnswersAndAsksBeforeTheBody(t *testing.T) {
	overEach(t, schemes, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" { // net/http's HTTP/2 sends no 100 behind a 103
			w.Header().Set("Link", "</a.css>")
			w.WriteHeader(http.StatusEarlyHints)
		}
		_, _ = io.Copy(w, r.Body)
	}, func(t *testing.T, r *rig) {
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if head := w.head(); !strings.HasPrefix(head, "HTTP/1.1 103 ") || !strings.Contains(head, "Link: </a.css>") {
			t.Errorf("got %q, want a 103", head)
		}
		if res, _ := w.receive("GET"); res.StatusCode != 200 {
			t.Errorf("got %d behind the 103", res.StatusCode)
		}
		w.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
		if head := w.head(); !strings.HasPrefix(head, "HTTP/1.1 100 ") {
			t.Errorf("got %q, want a 100", head)
		}
		w.send("hi")
		if res, body := w.receive("POST"); res.StatusCode != 200 || body != "hi" {
			t.Errorf("got %d %q", res.StatusCode, body)
		}
	})
}

func TestScheme_streamsBothWaysAtOnce(t *testing.T) {
	overEach(t, schemes, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		_ = control.Flush()
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(w, strings.ToUpper(line))
			_ = control.Flush()
		}
	}, func(t *testing.T, r *rig) {
		w := r.wire()
		w.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
		res, err := http.ReadResponse(w.r, &http.Request{Method: "POST"})
		if err != nil {
			t.Fatal(err)
		}
		answers := bufio.NewReader(res.Body)
		for _, line := range []string{"one\n", "two\n", "three\n"} {
			w.send(fmt.Sprintf("%x\r\n%s\r\n", len(line), line))
			if got, err := answers.ReadString('\n'); err != nil || got != strings.ToUpper(line) {
				t.Fatalf("got %q, %v, want %q", got, err, strings.ToUpper(line))
			}
		}
		w.send("0\r\n\r\n")
		if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
			t.Errorf("got %q, %v at the end", rest, err)
		}
	})
}

func TestScheme_answersBeforeTheBodyHasCome(t *testing.T) {
	overEach(t, schemes, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "3")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, "big")
	}, func(t *testing.T, r *rig) {
		w := r.wire()
		w.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhello")
		if res, body := w.receive("POST"); res.StatusCode != 413 || body != "big" {
			t.Errorf("got %d %q, want 413 before the body came", res.StatusCode, body)
		}
	})
}

func TestScheme_cutBodyNeverLooksWhole(t *testing.T) {
	for _, length := range []string{"", "100000"} {
		overEach(t, schemes, func(w http.ResponseWriter, r *http.Request) {
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1000))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, func(t *testing.T, r *rig) {
			res := r.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET")
			if b, err := io.ReadAll(res.Body); err == nil {
				t.Errorf("got a body of %d bytes that looks whole", len(b))
			}
		})
	}
}

func TestScheme_tellsTheTargetThatTheClientLeft(t *testing.T) {
	began, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	overEach(t, schemes, func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	}, func(t *testing.T, r *rig) {
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		next(t, began)
		_ = w.Close()
		next(t, ended)
	})
}

func TestScheme_cutEndsWhatIsUnderWay(t *testing.T) {
	began := make(chan struct{}, 1)
	overEach(t, schemes, func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
	}, func(t *testing.T, r *rig) {
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		next(t, began)
		if cut := r.svc.Pool.Targets()[0].Transport().Cut(); cut != 1 {
			t.Errorf("cut %d exchanges, want 1", cut)
		}
		if res, _ := w.receive("GET"); res.StatusCode != 504 {
			t.Errorf("got %d, want 504", res.StatusCode)
		}
	})
}

func TestScheme_keepsTheConnectionForTheNextExchange(t *testing.T) {
	var mu sync.Mutex
	peers := map[string]int{}
	overEach(t, []string{"https", "h2c", "h2"}, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		peers[r.RemoteAddr]++
		mu.Unlock()
	}, func(t *testing.T, r *rig) {
		mu.Lock()
		clear(peers)
		mu.Unlock()
		w := r.wire()
		for range 20 {
			w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if res, _ := w.receive("GET"); res.StatusCode != 200 {
				t.Fatalf("got %d", res.StatusCode)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if len(peers) != 1 {
			t.Errorf("20 exchanges took %d connections, want 1: session tickets are no answer", len(peers))
		}
	})
}

func TestScheme_refusesWhatIsNotTrusted(t *testing.T) {
	o := schemeTarget(t, "https", func(http.ResponseWriter, *http.Request) { t.Error("a request got through") })
	o.TLS = &dial.TLS{CA: newAuthority(t).file()}
	r := newRig(t, Settings{}, serviceOver(o))
	if res := r.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "POST"); res.StatusCode != 502 {
		t.Errorf("got %d, want 502", res.StatusCode)
	}
	eventually(t, "the log says why", func() bool { return strings.Contains(r.log.String(), "not trusted: set the CA") })
}

func TestTransport_surplusOverTLSReachesNobody(t *testing.T) {
	ca := newAuthority(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{}, 10)
	target := newRawTargetOn(t, tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{ca.issue("localhost")}}),
		func(c net.Conn, r *bufio.Reader) {
			for {
				if _, err := readHead(r); err != nil {
					return
				}
				_, _ = io.WriteString(c, ok("mine"))
				_, _ = io.WriteString(c, ok("surplus"))
				sent <- struct{}{}
			}
		})
	r := newRig(t, Settings{}, serviceOver(dial.Options{Address: target.addr, TLS: &dial.TLS{CA: ca.file()}}))
	w := r.wire()
	for range 5 {
		w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		_, body := w.receive("GET")
		if body != "mine" {
			t.Fatalf("got %q", body)
		}
		next(t, sent)
	}
}

func TestExchange_unprocessedPostGoesOutAgain(t *testing.T) {
	x := &exchange{conn: &targetConn{transport: NewTransport("a:1", nil).(*transport)}}
	x.target = balancer.NewTarget(balancer.TargetOptions{Address: "a:1"})
	err := x.blame("await", fmt.Errorf("read: %w", &dial.UnprocessedError{}))
	if err.Retry != RetryAlways || !err.Stale {
		t.Errorf("got %v, stale %v, want it sent again on another connection", err.Retry, err.Stale)
	}
	x.conn.sent.Store(100)
	if err := x.blame("await", errors.New("reset")); err.Retry != RetryIdempotent {
		t.Errorf("got %v for a reset, want idempotent requests only", err.Retry)
	}
}
