package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestServer_passesARequestOnAndItsAnswerBack(t *testing.T) {
	heads := make(chan string, 1)
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		head, err := readHead(r)
		if err != nil {
			return
		}
		heads <- head
		_, _ = io.WriteString(c, ok("hello"))
	})
	r := newRig(t, Settings{}, newService(target.addr))
	res := r.ask("GET /a%2Fb/../c?q=%zz&;x HTTP/1.1\r\nHost: app.test\r\nX-Case: Kept \r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n", "GET")
	if got := bodyOf(t, res); got != "hello" || res.StatusCode != 200 {
		t.Fatalf("got %d %q", res.StatusCode, got)
	}
	head := <-heads
	for _, want := range []string{
		"GET /a%2Fb/../c?q=%zz&;x HTTP/1.1\r\n", "Host: app.test\r\n", "X-Case: Kept \r\n",
		"X-Forwarded-For: 127.0.0.1\r\n", "X-Forwarded-Proto: http\r\n", "X-Forwarded-Host: app.test\r\n", "X-Request-Id: ", "X-Request-Start: t=",
	} {
		if !strings.Contains(head, want) {
			t.Errorf("head lacks %q:\n%s", want, head)
		}
	}
	for _, bad := range []string{"X-Hop", "Connection"} {
		if strings.Contains(head, bad) {
			t.Errorf("head has %q:\n%s", bad, head)
		}
	}
}

func TestServer_answersPipelinedRequestsInOrder(t *testing.T) {
	target := newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		for {
			head, err := readHead(r)
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, ok(strings.Fields(head)[1]))
		}
	})
	r := newRig(t, Settings{}, newService(target.addr))
	conn := r.dial()
	var all strings.Builder
	for _, p := range []string{"/1", "/2", "/3", "/4"} {
		all.WriteString("GET " + p + " HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	if _, err := io.WriteString(conn, all.String()); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(conn)
	for _, p := range []string{"/1", "/2", "/3", "/4"} {
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := bodyOf(t, res); got != p {
			t.Fatalf("got %q, want %q", got, p)
		}
	}
}
