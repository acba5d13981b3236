package e2e

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Thousands of bodies that trickle are given up, each with an answer, while other
// clients are served; a body that is fast enough is not.
func TestSlowBodies_areGivenUp(t *testing.T) {
	dir := shortFolder(t)
	config := filepath.Join(dir, "proxy.yml")
	if err := os.WriteFile(config, []byte("limits: {body_rate: 500, body_grace: 2s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, proxyOptions{dir: dir, config: config})
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	ask := startProbe(p)

	const head = "POST /echo HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3000\r\n\r\n"
	began := time.Now()
	slow := connectClients(t, p.address, scale(300, 5000), head+"x")
	fast := connectClients(t, p.address, 1, head)[0]
	sent := make(chan error, 1)
	go func() { sent <- sendEvery(fast, 100*time.Millisecond, 30, 100) }() // 1000 bytes a second
	go trickle(slow)
	for i, conn := range slow {
		_ = conn.SetReadDeadline(time.Now().Add(slack(20 * time.Second)))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != 408 {
			t.Fatalf("slow client %d: got %v, %v, want 408", i, res, err)
		}
		_ = res.Body.Close()
	}
	t.Logf("%d slow bodies were given up within %v", len(slow), time.Since(began))
	if err := <-sent; err != nil {
		t.Errorf("the body that is fast enough broke off: %v", err)
	}
	_ = fast.SetReadDeadline(time.Now().Add(slack(10 * time.Second)))
	if res, err := http.ReadResponse(bufio.NewReader(fast), nil); err != nil || res.StatusCode != 200 {
		t.Errorf("the body that is fast enough: got %v, %v", res, err)
	} else {
		_ = res.Body.Close()
	}
	if got := p.counter(t, "upfront_slow_bodies_total"); got != uint64(len(slow)) {
		t.Errorf("%d slow bodies were counted, want %d", got, len(slow))
	}
	if served, refused := ask.stop(t); served == 0 || refused != 0 {
		t.Errorf("another client was served %d times and refused %d times", served, refused)
	}
}

// sendEvery writes pieces of size bytes.
func sendEvery(w io.Writer, interval time.Duration, pieces, size int) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for range pieces {
		<-tick.C
		if _, err := w.Write(make([]byte, size)); err != nil {
			return err
		}
	}
	return nil
}

// trickle sends a byte now and then on each, which is progress, but too little,
// until they are closed.
func trickle(clients crowd) {
	for range 100 {
		open := 0
		for _, conn := range clients {
			if _, err := io.WriteString(conn, "x"); err == nil {
				open++
			}
		}
		if open == 0 {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
}
