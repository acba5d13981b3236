package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

func TestHTTP2_isNotSpokenUnlessSwitchedOn(t *testing.T) {
	target := answering(t, ok("hello"))
	r := newRig(t, Settings{}, newService(target.addr))
	w := r.wire()
	w.send(http2.ClientPreface)
	if res, _ := w.receive("GET"); res.StatusCode != 505 {
		t.Errorf("got %d, want 505", res.StatusCode)
	}
}

func TestHTTP2_sniffLeavesHTTP1Alone(t *testing.T) {
	target := answering(t, ok("hello"))
	r := newRig(t, speaksHTTP2, newService(target.addr))
	for _, parts := range [][]string{
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"P", "OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
		{"PR", "OPFIND / HTTP/1.1\r\nHost: a\r\n\r\n"},
	} {
		w := r.wire()
		w.send(parts...)
		if res, body := w.receive("GET"); res.StatusCode != 200 || body != "hello" {
			t.Errorf("%q: got %d %q", parts, res.StatusCode, body)
		}
	}
	w := r.wire() // a preface in pieces is one, too
	for _, piece := range []string{"P", "RI * HTTP/2.0\r\n", "\r\nSM\r\n\r\n"} {
		w.send(piece)
	}
	w.send("\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	frame, err := http2.NewFramer(io.Discard, w.r).ReadFrame()
	if err != nil || frame.Header().Type != http2.FrameSettings {
		t.Errorf("got %v, %v, want SETTINGS", frame, err)
	}
}

// A head that begins like the preface has the time of any other.
func TestHTTP2_sniffTakesItsTimeFromTheHead(t *testing.T) {
	const headTimeout = 1500 * time.Millisecond
	r := newRig(t, Settings{CleartextHTTP2: true, HeadTimeout: headTimeout}, newService(answering(t, ok("x")).addr))
	w := r.wire()
	began := time.Now()
	w.send("P")
	if res, _ := w.receive("GET"); res.StatusCode != 408 || !res.Close {
		t.Errorf("got %d, close %v, want 408", res.StatusCode, res.Close)
	}
	if took := time.Since(began); took < headTimeout || took > 2*headTimeout {
		t.Errorf("it took %v, want one head timeout of %v", took, headTimeout)
	}
}

func TestHTTP2_upgradeIsNeverTaken(t *testing.T) {
	target := answering(t, ok("hello"))
	r := newRig(t, speaksHTTP2, newService(target.addr))
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")
	if res, body := w.receive("GET"); res.StatusCode != 200 || body != "hello" {
		t.Errorf("got %d %q, want the answer in HTTP/1.1", res.StatusCode, body)
	}
}

func TestHTTP2_limitsAreThoseOfHTTP1(t *testing.T) {
	svc := newService(httpTarget(t, mirror))
	svc.MaxRequestBody = 10
	settings := speaksHTTP2
	settings.MaxHeadBytes, settings.MaxFields = 2<<10, 20
	r := newRig(t, settings, svc)
	w := r.h2wire()
	w.get(1, "/", "x-long: "+strings.Repeat("x", 3<<10))
	if a := w.answer(1); a.status != "431" {
		t.Errorf("long head: got %+v, want 431", a)
	}
	many := make([]string, 30)
	for i := range many {
		many[i] = "x-a: b"
	}
	w.get(3, "/", many...)
	if a := w.answer(3); a.status != "431" {
		t.Errorf("many fields: got %+v, want 431", a)
	}
	for i, length := range []string{"content-length: 11", "x-none: 1"} {
		stream := uint32(5 + 2*i)
		w.headers(stream, false, ":method: POST", ":scheme: http", ":path: /", ":authority: a.example", length)
		w.data(stream, true, "12345678901")
		if a := w.answer(stream); a.status != "413" {
			t.Errorf("body, %s: got %+v, want 413", length, a)
		}
	}
}

func TestHTTP2_slowBodyIsGivenUp(t *testing.T) {
	target := newRawTarget(t, func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	settings := speaksHTTP2
	settings.BodyTimeout = 100 * time.Millisecond
	r := newRig(t, settings, newService(target.addr))
	w := r.h2wire()
	w.headers(1, false, ":method: POST", ":scheme: http", ":path: /", ":authority: a.example")
	w.data(1, false, "begin")
	if a := w.answer(1); a.status != "408" {
		t.Errorf("got %+v, want 408", a)
	}
}

// Whoever sent the client its 100: its time begins then.
func TestHTTP2_bodyThatIsAskedForInVainIsGivenUp(t *testing.T) {
	for _, interim := range []string{"", "HTTP/1.1 100 Continue\r\n\r\n"} {
		target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
			_, _ = readHead(r)
			_, _ = io.WriteString(c, interim)
			_, _ = io.Copy(io.Discard, r)
		})
		r := newRig(t, Settings{CleartextHTTP2: true, BodyRate: 1000, BodyGrace: 50 * time.Millisecond}, newService(target.addr))
		w := r.h2wire()
		w.headers(1, false, ":method: POST", ":scheme: http", ":path: /", ":authority: a.example", "content-length: 4", "expect: 100-continue")
		if f, ok := w.next().(*http2.MetaHeadersFrame); !ok || f.PseudoValue("status") != "100" {
			t.Fatalf("got %v, want a 100", f)
		}
		if a := w.answer(1); a.status != "408" {
			t.Errorf("target says %q: got %+v, want 408", interim, a)
		}
	}
}

func TestHTTP2_clientThatTakesNothingIsGivenUp(t *testing.T) {
	gone := make(chan struct{})
	address := httpTarget(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, 8<<20))
		<-r.Context().Done()
		close(gone)
	})
	settings := speaksHTTP2
	settings.BodyTimeout = 100 * time.Millisecond
	r := newRig(t, settings, newService(address))
	w := r.h2wire(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	w.get(1, "/")
	if a := w.answer(1); a.reset == nil {
		t.Errorf("got %+v, want a reset", a)
	}
	next(t, gone)
}

func TestHTTP2_connectionWithoutStreamsIsClosed(t *testing.T) {
	target := answering(t, ok("hello"))
	settings := speaksHTTP2
	settings.IdleTimeout = 50 * time.Millisecond
	r := newRig(t, settings, newService(target.addr))
	w := r.h2wire()
	w.get(1, "/")
	w.answer(1)
	if code, said := w.ended(); !said || code != http2.ErrCodeNo {
		t.Errorf("got GOAWAY %v %v, want NO_ERROR", said, code)
	}
}

func TestHTTP2_waitsAtTheGate(t *testing.T) {
	target := answering(t, ok("hello"))
	svc := newService(target.addr)
	r := newRig(t, speaksHTTP2, svc)
	svc.Gate.Pause(time.Minute)
	w := r.h2wire()
	for stream := uint32(1); stream < 9; stream += 2 {
		w.get(stream, "/")
	}
	eventually(t, "all wait", func() bool { return svc.Gate.Held() == 4 })
	svc.Gate.Resume()
	for range 4 {
		a := w.answerOfAny()
		if a.status != "200" {
			t.Errorf("got %+v, want 200 after the pause", a)
		}
	}
}

// answerOfAny reads the head of the next answer.
func (w *h2wire) answerOfAny() (a h2answer) {
	for {
		if f, ok := w.next().(*http2.MetaHeadersFrame); ok {
			a.take(f)
			return a
		}
	}
}

func TestHTTP2_shutdownLosesNoStream(t *testing.T) {
	release := make(chan struct{})
	address := httpTarget(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_ = http.NewResponseController(w).Flush()
			<-release
		}
		_, _ = io.WriteString(w, "hello")
	})
	r := newRig(t, speaksHTTP2, newService(address))
	w := r.h2wire()
	w.get(1, "/slow")
	if a := w.answerOfAny(); a.status != "200" {
		t.Fatalf("got %+v", a)
	}
	idle := r.h2wire()
	idle.get(1, "/")
	idle.answer(1)

	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ended <- r.server.Shutdown(ctx)
	}()
	for {
		away, ok := w.next().(*http2.GoAwayFrame)
		if !ok {
			continue
		}
		if away.ErrCode != http2.ErrCodeNo || away.LastStreamID != 1<<31-1 {
			t.Errorf("got %v, want a warning that loses no stream", away)
		}
		break
	}
	w.get(3, "/") // was under way when the client heard of it
	if a := w.answer(3); a.status != "200" || a.body != "hello" {
		t.Errorf("got %+v on a stream that crossed the warning", a)
	}
	if code, said := idle.ended(); !said || code != http2.ErrCodeNo {
		t.Errorf("idle connection: got GOAWAY %v %v, want NO_ERROR", said, code)
	}
	select {
	case err := <-ended:
		t.Fatalf("shutdown did not wait for the stream: %v", err)
	default:
	}
	close(release)
	if a := w.answer(1); a.body != "hello" || !a.whole {
		t.Errorf("got %+v, want the rest of the stream", a)
	}
	if code, said := w.ended(); said && code != http2.ErrCodeNo {
		t.Errorf("got GOAWAY %v, want NO_ERROR", code)
	}
	if err := next(t, ended); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestHTTP2_newcomersAreServedDuringAShutdown(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{}, 1)
	address := httpTarget(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			asked <- struct{}{}
			<-release
		}
		_, _ = io.WriteString(w, "hello")
	})
	r := newRig(t, speaksHTTP2, newService(address))
	slow, before := r.wire(), r.h2wire() // one has only just connected
	slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	next(t, asked)
	eventually(t, "the stream carrier is known", func() bool { return r.server.counters.HTTP2.Load() == 1 })
	ended := r.shutdown(20 * time.Second)
	for name, w := range map[string]*h2wire{"just before": before, "meanwhile": r.h2wire()} {
		if f, err := w.framer.ReadFrame(); err != nil || f.Header().Type != http2.FrameSettings {
			t.Errorf("connected %s: began with %v, %v, want SETTINGS", name, f, err)
		}
		w.get(1, "/")
		if a := w.answer(1); a.status != "200" || a.body != "hello" {
			t.Errorf("connected %s: got %+v", name, a)
		}
		if code, said := w.ended(); !said || code != http2.ErrCodeNo {
			t.Errorf("connected %s: got GOAWAY %v %v, want NO_ERROR", name, said, code)
		}
	}
	client := &http.Client{Transport: &http.Transport{Protocols: onlyCleartextHTTP2()}}
	defer client.CloseIdleConnections()
	for range 20 {
		res, err := client.Get("http://" + r.addr)
		if err != nil {
			t.Fatalf("a client of net/http: %v", err)
		}
		if body, err := io.ReadAll(res.Body); res.ProtoMajor != 2 || string(body) != "hello" || err != nil {
			t.Errorf("a client of net/http: got %s %q, %v", res.Proto, body, err)
		}
		_ = res.Body.Close()
	}
	close(release)
	if res, body := slow.receive("GET"); body != "hello" || !res.Close {
		t.Errorf("got %q, close %v", body, res.Close)
	}
	if err := next(t, ended); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func onlyCleartextHTTP2() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

func TestHTTP2_shutdownCutsAtItsEnd(t *testing.T) {
	asked := make(chan struct{})
	address := httpTarget(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		close(asked)
		<-r.Context().Done()
	})
	r := newRig(t, speaksHTTP2, newService(address))
	w := r.h2wire()
	w.get(1, "/")
	next(t, asked)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := r.server.Shutdown(ctx); err == nil {
		t.Error("shutdown cut nothing, want its error")
	}
	w.ended()
}

func TestHTTP2_crowdedServerClosesIdleConnections(t *testing.T) {
	target := answering(t, ok("hello"))
	settings := speaksHTTP2
	settings.MaxConnections = 1
	r := newRig(t, settings, newService(target.addr))
	w := r.h2wire()
	w.get(1, "/")
	w.answer(1)
	res := r.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET")
	if got := bodyOf(t, res); got != "hello" {
		t.Errorf("got %q, want the place of the idle connection", got)
	}
	if code, _ := w.ended(); code != http2.ErrCodeNo {
		t.Errorf("got GOAWAY %v, want NO_ERROR", code)
	}
}

func TestHTTP2_panicCostsOneStream(t *testing.T) {
	target := answering(t, ok("hello"))
	svc := newService(target.addr)
	routes := &trap{fixedRoutes{svc: svc, prefix: "/"}}
	r := newRigOf(t, speaksHTTP2, svc, routes)
	r.panics = 1
	w := r.h2wire()
	w.get(1, "/trap")
	if a := w.answer(1); a.reset == nil {
		t.Errorf("got %+v, want a reset", a)
	}
	w.get(3, "/")
	if a := w.answer(3); a.body != "hello" {
		t.Errorf("got %+v on the next stream", a)
	}
}
