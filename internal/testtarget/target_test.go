package testtarget

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"upfront/internal/load/payload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// get asks target for a path over a connection of its own.
func get(t *testing.T, target *Target, path string) (status int, body string, err error) {
	t.Helper()
	return exchange(t, target, http.MethodGet, path, nil)
}

func exchange(t *testing.T, target *Target, method, path string, body io.Reader) (status int, answer string, err error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+target.Addr()+path, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestTarget_up_answersWhatWasSet(t *testing.T) {
	target := Start(t, Options{})
	if status, body, err := get(t, target, "/up"); status != 200 || body != "OK" || err != nil {
		t.Fatalf("/up = %d %q %v, want 200 OK", status, body, err)
	}
	const sick = `{"checks":{"database":false}}`
	target.SetUp(503, sick)
	if status, body, _ := get(t, target, "/up"); status != 503 || body != sick {
		t.Errorf("/up = %d %q, want 503 %q", status, body, sick)
	}
	if got := target.Stats(); got.UpHits != 2 || got.Requests != 0 || got.FirstUp.IsZero() {
		t.Errorf("stats = %+v, want 2 hits of /up and no request", got)
	}
}

func TestTarget_up_is503UntilReady(t *testing.T) {
	target := Start(t, Options{ReadyAfter: time.Hour})
	if status, _, _ := get(t, target, "/up"); status != 503 {
		t.Errorf("/up before ready = %d, want 503", status)
	}
	target.SetUp(200, "OK")
	if status, _, _ := get(t, target, "/up"); status != 200 {
		t.Errorf("/up after SetUp = %d, want 200", status)
	}
}

func TestTarget_answersCanBeVerified(t *testing.T) {
	target := Start(t, Options{Version: "v7"})
	_, body, err := get(t, target, "/payload?nonce=a-1&size=5000")
	if err != nil {
		t.Fatal(err)
	}
	if version, err := payload.CheckAnswer([]byte(body), "a-1", 5000); version != "v7" || err != nil {
		t.Errorf("answer: version %q, %v", version, err)
	}
	sent := payload.Body("a-2", 64<<10)
	_, body, err = exchange(t, target, http.MethodPost, "/echo?nonce=a-2", bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := payload.CheckReceipt([]byte(body), "a-2", sent); err != nil {
		t.Errorf("receipt: %v", err)
	}
	_, body, err = get(t, target, "/stream?nonce=a-3&pieces=5&ms=20")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := payload.CheckStream([]byte(body), "a-3", 5); err != nil {
		t.Errorf("stream: %v", err)
	}
	if got := target.Stats(); got.Requests != 3 || got.InFlight != 0 {
		t.Errorf("stats = %+v, want 3 requests, 0 in flight", got)
	}
}

// The body must come back while it is still being sent.
func TestTarget_echo_streamsBothWaysAtOnce(t *testing.T) {
	target := Start(t, Options{})
	conn, err := net.Dial("tcp", target.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, "POST /echo?back=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
	var got []byte
	buf := make([]byte, 1000)
	for !bytes.Contains(got, []byte("first")) {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("read echo after %q: %v", got, err)
		}
		got = append(got, buf[:n]...)
	}
	_, _ = io.WriteString(conn, "6\r\nsecond\r\n0\r\n\r\n")
	for !bytes.HasSuffix(got, []byte("0\r\n\r\n")) {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("read echo after %q: %v", got, err)
		}
		got = append(got, buf[:n]...)
	}
	if !bytes.Contains(got, []byte("second")) {
		t.Errorf("echo = %q, want the second piece too", got)
	}
}

func TestTarget_webSocket_echoes(t *testing.T) {
	target := Start(t, Options{Version: "v2"})
	c, resp, err := websocket.Dial(t.Context(), "ws://"+target.Addr()+payload.WebSocketPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if got := resp.Header.Get(payload.VersionHeader); got != "v2" {
		t.Errorf("version header = %q, want v2", got)
	}
	if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, message, err := c.Read(t.Context()); err != nil || string(message) != "hello" {
		t.Errorf("echo = %q, %v, want hello", message, err)
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestTarget_SetMode_reset(t *testing.T) {
	target := Start(t, Options{Mode: Reset})
	if _, _, err := get(t, target, "/up"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("/up = %v, want a reset", err)
	}
}

func TestTarget_SetMode_refusesAndComesBackOnTheSamePort(t *testing.T) {
	target := Start(t, Options{})
	before := target.Addr()
	if err := target.SetMode(Refuse); err != nil {
		t.Fatal(err)
	}
	if _, _, err := get(t, target, "/up"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("/up = %v, want refused", err)
	}
	if err := target.SetMode(Healthy); err != nil {
		t.Fatal(err)
	}
	if status, _, err := get(t, target, "/up"); status != 200 || target.Addr() != before {
		t.Errorf("/up = %d %v on %s, want 200 on %s", status, err, target.Addr(), before)
	}
}

func TestTarget_SetMode_hangsUntilItChanges(t *testing.T) {
	target := Start(t, Options{Mode: Hang})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+target.Addr()+"/up", nil)
	resp, err := client.Do(req)
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("/up = %v, want no answer", err)
	}
	if err := target.SetMode(Healthy); err != nil {
		t.Fatal(err)
	}
	if status, _, err := get(t, target, "/up"); status != 200 {
		t.Errorf("/up = %d %v, want 200", status, err)
	}
}

func TestTarget_Kill_endsEveryConnectionAndListenBringsItBack(t *testing.T) {
	target := Start(t, Options{})
	conn, err := net.Dial("tcp", target.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, "GET /stream?ms=60000 HTTP/1.1\r\nHost: x\r\n\r\n")
	buf := make([]byte, 4096)
	if _, err := conn.Read(buf); err != nil {
		t.Fatal(err)
	}
	target.Kill()
	for err == nil {
		_, err = conn.Read(buf)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read after Kill = %v, want the end", err)
	}
	if _, _, err := get(t, target, "/up"); err == nil {
		t.Error("/up after Kill answered")
	}
	if err := target.Listen(); err != nil {
		t.Fatal(err)
	}
	if status, _, err := get(t, target, "/up"); status != 200 {
		t.Errorf("/up after Listen = %d %v, want 200", status, err)
	}
}

func TestTarget_closesIdleConnections(t *testing.T) {
	target := Start(t, Options{IdleTimeout: 20 * time.Millisecond})
	conn, err := net.Dial("tcp", target.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, "GET /up HTTP/1.1\r\nHost: x\r\n\r\n")
	all, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(all), "OK") {
		t.Errorf("read to the end = %q, %v, want one answer and EOF", all, err)
	}
}

func TestParseMode(t *testing.T) {
	for _, want := range []Mode{Healthy, Hang, Reset, Refuse} {
		if got, err := ParseMode(want.String()); got != want || err != nil {
			t.Errorf("ParseMode(%q) = %v, %v", want, got, err)
		}
	}
	if _, err := ParseMode("sleepy"); err == nil {
		t.Error("ParseMode(sleepy) succeeded")
	}
}

func TestPayloadHashIsOfTheSentBody(t *testing.T) {
	sum := sha256.Sum256(nil)
	target := Start(t, Options{})
	_, body, err := exchange(t, target, http.MethodPost, "/echo?nonce=e", nil)
	if want := string(payload.Receipt("v1", "e", 0, sum[:])); body != want || err != nil {
		t.Errorf("receipt of nothing = %q, %v, want %q", body, err, want)
	}
}
