package load

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"upfront/internal/load/payload"
	"upfront/internal/load/wsframe"
)

// hostile serves every connection with raw: it gets each request, with its body
// read, and reports whether the connection goes on.
func hostile(t *testing.T, raw func(c net.Conn, r *http.Request, body []byte) bool) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	t.Cleanup(func() {
		_ = ln.Close()
		wait.Wait()
	})
	wait.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				in := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					body, err := io.ReadAll(r.Body)
					if err != nil || !raw(c, r, body) {
						return
					}
				}
			})
		}
	})
	return ln.Addr().String()
}

// respond writes an answer: head lines without framing, then the body.
func respond(c net.Conn, body string, fields ...string) {
	head := "HTTP/1.1 200 OK\r\nX-Version: v1\r\n"
	for _, f := range fields {
		head += f + "\r\n"
	}
	_, _ = io.WriteString(c, head+"\r\n"+body)
}

func sized(n int) string { return "Content-Length: " + strconv.Itoa(n) }

func nonceOf(r *http.Request) string { return r.URL.Query().Get(payload.KeyNonce) }

func answerTo(r *http.Request) string { return string(payload.Answer("v1", nonceOf(r), 300)) }

// Each of these is one lie that a broken proxy could tell; none may count as a
// good answer.
var damages = []struct {
	name    string
	respond func(c net.Conn, r *http.Request, whole string)
	want    string
}{
	{"truncated body", func(c net.Conn, _ *http.Request, whole string) {
		respond(c, whole[:len(whole)-7], sized(len(whole)))
	}, "bytes: unexpected EOF"},
	{"one byte missing, announced so", func(c net.Conn, _ *http.Request, whole string) {
		respond(c, whole[:len(whole)-1], sized(len(whole)-1))
	}, "got 299 bytes"},
	{"changed byte", func(c net.Conn, _ *http.Request, whole string) {
		respond(c, whole[:len(whole)-1]+"~", sized(len(whole)))
	}, "content hashes to"},
	{"surplus bytes", func(c net.Conn, _ *http.Request, whole string) {
		respond(c, whole+"x", sized(len(whole)))
	}, "surplus bytes"},
	{"surplus bytes before an announced end", func(c net.Conn, _ *http.Request, whole string) {
		respond(c, whole+"x", sized(len(whole)), "Connection: close")
	}, "surplus bytes"},
	{"a second answer", func(c net.Conn, _ *http.Request, whole string) {
		// In one piece: what comes once the client is done is nobody's to notice.
		respond(c, whole+"HTTP/1.1 200 OK\r\n"+sized(len(whole))+"\r\n\r\n"+whole, sized(len(whole)))
	}, "surplus bytes"},
	{"reset within the body", func(c net.Conn, _ *http.Request, whole string) {
		respond(c, whole[:20], sized(len(whole)))
		_ = c.(*net.TCPConn).SetLinger(0)
	}, "connection reset"},
	{"no answer", func(net.Conn, *http.Request, string) {}, "read status line: EOF"},
	{"end within the head", func(c net.Conn, _ *http.Request, _ string) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX-Version: v1\r\n")
	}, "read head: unexpected EOF"},
	{"answer of another request", func(c net.Conn, _ *http.Request, _ string) {
		other := string(payload.Answer("v1", "other", 300))
		respond(c, other, sized(len(other)))
	}, `answer of request "other"`},
	{"head of another version", func(c net.Conn, r *http.Request, _ string) {
		other := string(payload.Answer("v2", nonceOf(r), 300))
		respond(c, other, sized(len(other)))
	}, `head is of version "v1", body of version "v2"`},
	{"no framing", func(c net.Conn, _ *http.Request, whole string) {
		respond(c, whole)
	}, "neither Content-Length nor chunked"},
	{"two framings", func(c net.Conn, _ *http.Request, whole string) {
		respond(c, whole, sized(len(whole)), "Transfer-Encoding: chunked")
	}, "both Transfer-Encoding and Content-Length"},
	{"two lengths", func(c net.Conn, _ *http.Request, whole string) {
		respond(c, whole, sized(len(whole)), sized(len(whole)))
	}, "Content-Length \""},
	{"chunked without its last chunk", func(c net.Conn, _ *http.Request, whole string) {
		respond(c, fmt.Sprintf("%x\r\n%s\r\n", len(whole), whole), "Transfer-Encoding: chunked")
	}, "read chunk size after"},
	{"chunk cut", func(c net.Conn, _ *http.Request, whole string) {
		respond(c, fmt.Sprintf("%x\r\n%s", len(whole), whole[:9]), "Transfer-Encoding: chunked")
	}, "read chunk: 9 of"},
	{"chunk too long", func(c net.Conn, _ *http.Request, whole string) {
		respond(c, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(whole)-1, whole), "Transfer-Encoding: chunked")
	}, "read chunk end: surplus bytes"},
	{"an error page", func(c net.Conn, _ *http.Request, _ string) {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad")
	}, `answer has status 502: "bad"`},
	{"an interim answer", func(c net.Conn, _ *http.Request, whole string) {
		_, _ = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n")
		respond(c, whole, sized(len(whole)))
	}, "interim answer 103"},
	{"HTTP/1.0", func(c net.Conn, _ *http.Request, whole string) {
		_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n"+sized(len(whole))+"\r\n\r\n"+whole)
	}, "not one of HTTP/1.1"},
	{"bare line feeds", func(c net.Conn, _ *http.Request, whole string) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\n"+sized(len(whole))+"\n\n"+whole)
	}, "ends without CRLF"},
}

func TestGet_noticesEveryDamage(t *testing.T) {
	for _, tt := range damages {
		t.Run(tt.name, func(t *testing.T) {
			address := hostile(t, func(c net.Conn, r *http.Request, _ []byte) bool {
				tt.respond(c, r, answerTo(r))
				return false
			})
			expectFailure(t, Options{Address: address, Requests: 1, Workers: []Workers{{Mode: KeepAlive}}}, tt.want)
		})
	}
}

// expectFailure runs o and wants every request to fail for the cause want.
func expectFailure(t *testing.T, o Options, want string) {
	t.Helper()
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed == 0 || !strings.Contains(report.Failures[0].Cause, want) {
		t.Fatalf("report:\n%s\nwant a failure with %q", report, want)
	}
	if f := report.Failures[0]; f.At.IsZero() || f.Sent.IsZero() || f.Mode != o.Workers[0].Mode || f.LocalPort == 0 {
		t.Errorf("failure = %+v, want its time, mode and port", f)
	}
}

// A proxy that closes a kept connection as a request arrives loses the request.
func TestGet_aKeptConnectionClosedUponARequestIsAFailure(t *testing.T) {
	served := map[net.Conn]bool{}
	var mu sync.Mutex
	address := hostile(t, func(c net.Conn, r *http.Request, _ []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		if served[c] {
			return false
		}
		served[c] = true
		respond(c, answerTo(r), sized(len(answerTo(r))))
		return true
	})
	report, err := Run(t.Context(), Options{Address: address, Requests: 2, Workers: []Workers{{Mode: KeepAlive}}})
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed != 1 || !report.Failures[0].Reused {
		t.Errorf("report:\n%s\nwant one failure on a kept connection", report)
	}
}

func TestGet_anAnnouncedEndIsNoFailure(t *testing.T) {
	address := hostile(t, func(c net.Conn, r *http.Request, _ []byte) bool {
		respond(c, answerTo(r), sized(len(answerTo(r))), "Connection: close")
		return false
	})
	report, err := Run(t.Context(), Options{Address: address, Requests: 3, Workers: []Workers{{Mode: KeepAlive}}})
	if err != nil {
		t.Fatal(err)
	}
	if m := report.Mode(KeepAlive); report.Failed != 0 || m.Reconnected != 3 || m.Connections != 3 {
		t.Errorf("report:\n%s\n%+v\nwant 3 good answers on 3 connections", report, m)
	}
}

func TestGetOnce_wantsTheEndItAskedFor(t *testing.T) {
	address := hostile(t, func(c net.Conn, r *http.Request, _ []byte) bool {
		respond(c, answerTo(r), sized(len(answerTo(r))))
		return true
	})
	expectFailure(t, Options{Address: address, Requests: 1, Workers: []Workers{{Mode: NewConnections}}}, "stays open")
}

func TestConn_idle(t *testing.T) {
	tests := []struct {
		name string
		peer func(c *net.TCPConn)
		want string
	}{
		{"closed", func(c *net.TCPConn) { _ = c.Close() }, "EOF"},
		{"surplus bytes", func(c *net.TCPConn) { _, _ = io.WriteString(c, "surprise") }, `surplus bytes after the answer: "surprise"`},
		{"reset", func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() }, "idle connection was broken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			o, _ := Options{Address: ln.Addr().String()}.withDefaults()
			c, err := dial(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			peer, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			if err := c.idle(); err != nil {
				t.Fatalf("idle() of an open connection = %v, want nil", err)
			}
			tt.peer(peer.(*net.TCPConn))
			waitFor(t, "the peer's act to arrive", func() bool { err = c.idle(); return err != nil })
			if !strings.Contains(err.Error(), tt.want) || (tt.want == "EOF") != errors.Is(err, io.EOF) {
				t.Errorf("idle() = %v, want %s", err, tt.want)
			}
		})
	}
}

func TestPost_noticesWhatTheTargetDidNotGet(t *testing.T) {
	tests := []struct {
		name   string
		change func(body []byte) []byte
		want   string
	}{
		{"cut body", func(b []byte) []byte { return b[:len(b)-1] }, "target got 65535 bytes"},
		{"changed body", func(b []byte) []byte { b = bytes.Clone(b); b[9]++; return b }, "body hashes to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := hostile(t, func(c net.Conn, r *http.Request, body []byte) bool {
				body = tt.change(body)
				sum := sha256.Sum256(body)
				receipt := string(payload.Receipt("v1", nonceOf(r), int64(len(body)), sum[:]))
				respond(c, receipt, sized(len(receipt)))
				return true
			})
			expectFailure(t, Options{Address: address, Requests: 1, Workers: []Workers{{Mode: Post}}}, tt.want)
		})
	}
}

func TestStream_noticesEveryDamage(t *testing.T) {
	tests := []struct {
		name   string
		change func(pieces []string) (kept []string, last string)
		want   string
	}{
		{"a lost piece", func(p []string) ([]string, string) { return append(p[:1:1], p[2:]...), "0\r\n\r\n" }, "piece 2 of 6 is"},
		{"a lost end", func(p []string) ([]string, string) { return p[:6], "0\r\n\r\n" }, "end is"},
		{"no last chunk", func(p []string) ([]string, string) { return p, "" }, "read chunk size after"},
		{"a cut last chunk", func(p []string) ([]string, string) { return p, "0\r\n" }, "read chunk end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := hostile(t, func(c net.Conn, r *http.Request, _ []byte) bool {
				var pieces []string
				for i := range 6 {
					pieces = append(pieces, string(payload.Piece("v1", nonceOf(r), i+1, 6)))
				}
				sum := sha256.Sum256([]byte(strings.Join(pieces, "")))
				kept, last := tt.change(append(pieces, string(payload.End("v1", nonceOf(r), sum[:]))))
				respond(c, "", "Transfer-Encoding: chunked")
				for _, p := range kept {
					fmt.Fprintf(c, "%x\r\n%s\r\n", len(p), p)
				}
				_, _ = io.WriteString(c, last)
				return false
			})
			expectFailure(t, Options{Address: address, Requests: 1, Workers: []Workers{{Mode: Stream}}}, tt.want)
		})
	}
}

// upgrade accepts a WebSocket and returns the client's first frame.
func upgrade(c net.Conn, r *http.Request) wsframe.Frame {
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
		wsframe.AcceptKey(r.Header.Get("Sec-WebSocket-Key"))+"\r\n\r\n")
	f, _ := wsframe.Read(bufio.NewReader(c))
	return f
}

func send(c net.Conn, op wsframe.Opcode, data []byte) {
	_, _ = c.Write(wsframe.Append(nil, wsframe.Frame{Opcode: op, Payload: data}))
}

func TestEcho_noticesEveryDamage(t *testing.T) {
	tests := []struct {
		name string
		act  func(c net.Conn, r *http.Request)
		want string
	}{
		{"refused", func(c net.Conn, _ *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
		}, "status 503"},
		{"wrong accept key", func(c net.Conn, _ *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")
		}, "accept key"},
		{"another message", func(c net.Conn, r *http.Request) {
			upgrade(c, r)
			send(c, wsframe.Text, []byte("something else"))
		}, "got \"something else\""},
		{"end without a close frame", func(c net.Conn, r *http.Request) { upgrade(c, r) }, "ended without a close frame"},
		{"half a frame", func(c net.Conn, r *http.Request) {
			f := upgrade(c, r)
			_, _ = c.Write(wsframe.Append(nil, wsframe.Frame{Opcode: wsframe.Text, Payload: f.Payload})[:20])
		}, "unexpected EOF"},
		{"reset", func(c net.Conn, r *http.Request) {
			upgrade(c, r)
			_ = c.(*net.TCPConn).SetLinger(0)
		}, "connection reset"},
		{"closed with 1011", func(c net.Conn, r *http.Request) {
			upgrade(c, r)
			send(c, wsframe.Close, wsframe.ClosePayload(1011, "broken"))
		}, "close code 1011"},
		{"moved for ever", func(c net.Conn, r *http.Request) {
			upgrade(c, r)
			send(c, wsframe.Close, wsframe.ClosePayload(wsframe.CloseGoingAway, ""))
		}, "moved away"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := hostile(t, func(c net.Conn, r *http.Request, _ []byte) bool {
				tt.act(c, r)
				return false
			})
			report, err := Run(t.Context(), Options{Address: address, Requests: 1, Workers: []Workers{{Mode: WebSocket}}})
			if err != nil {
				t.Fatal(err)
			}
			if report.Failed != 1 || !strings.Contains(report.Failures[0].Cause, tt.want) {
				t.Errorf("report:\n%s\nwant one failure with %q", report, tt.want)
			}
		})
	}
}

func TestEcho_aMoveIsCountedAndTheMessageSentAgain(t *testing.T) {
	var mu sync.Mutex
	moved := false
	address := hostile(t, func(c net.Conn, r *http.Request, _ []byte) bool {
		f := upgrade(c, r)
		mu.Lock()
		first := !moved
		moved = true
		mu.Unlock()
		if first {
			send(c, wsframe.Close, wsframe.ClosePayload(wsframe.CloseGoingAway, "drained"))
			return false
		}
		send(c, wsframe.Ping, []byte("still there?"))
		send(c, wsframe.Text, f.Payload)
		in := bufio.NewReader(c)
		for f.Opcode != wsframe.Close {
			var err error
			if f, err = wsframe.Read(in); err != nil {
				return false
			}
		}
		send(c, wsframe.Close, f.Payload)
		return false
	})
	report, err := Run(t.Context(), Options{Address: address, Requests: 1, Workers: []Workers{{Mode: WebSocket}}})
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed != 0 || report.Requests != 1 || report.Moved() != 1 {
		t.Errorf("report:\n%s\nwant one message, moved once", report)
	}
}
