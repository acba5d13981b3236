package dial

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// frameTarget is an HTTP/2 target that is scripted by the frame.
func frameTarget(t *testing.T, serve func(c *frames)) string {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		c := &frames{Conn: conn, r: bufio.NewReader(conn)}
		preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
		if _, err := io.ReadFull(c.r, preface); err != nil {
			return
		}
		serve(c)
	})
}

// listen serves connections until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		running.Wait()
	})
	return ln.Addr().String()
}

type frames struct {
	net.Conn
	r *bufio.Reader
}

const (
	frameHeaders = 1
	frameReset   = 3
	frameGoAway  = 7
)

func (c *frames) send(kind, flags byte, id uint32, payload ...byte) {
	head := []byte{0, 0, byte(len(payload)), kind, flags}
	_, _ = c.Write(append(binary.BigEndian.AppendUint32(head, id), payload...))
}

// settings are what a target says first.
func (c *frames) settings(streams uint32) {
	c.send(frameSettings, 0, 0, binary.BigEndian.AppendUint32([]byte{0, settingStreams}, streams)...)
}

// request waits for the head of a request and returns its stream; 0 at the end.
func (c *frames) request() uint32 {
	for {
		var head [frameHead]byte
		if _, err := io.ReadFull(c.r, head[:]); err != nil {
			return 0
		}
		length := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
		if _, err := c.r.Discard(length); err != nil {
			return 0
		}
		if head[3] == frameHeaders {
			return binary.BigEndian.Uint32(head[5:]) & (1<<31 - 1)
		}
	}
}

func open(t *testing.T, d *Dialer) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := d.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

func newDialer(t *testing.T, o Options) *Dialer {
	t.Helper()
	d := New(o)
	t.Cleanup(d.Close)
	return d
}

// ask sends a POST and returns what the first read finds.
func ask(t *testing.T, d *Dialer) (string, error) {
	t.Helper()
	conn := open(t, d)
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"); err != nil {
		return "", err
	}
	b := make([]byte, 1024)
	n, err := conn.Read(b)
	return string(b[:n]), err
}

// The words of net/http that tell these apart are held here.
func TestDial_tellsWhatTheTargetHasNotProcessed(t *testing.T) {
	for _, test := range []struct {
		name        string
		answer      func(c *frames, id uint32)
		unprocessed bool
	}{
		{"refused", func(c *frames, id uint32) { c.send(frameReset, 0, id, 0, 0, 0, codeRefused) }, true},
		{"going away before it", func(c *frames, _ uint32) { c.send(frameGoAway, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) }, true},
		{"going away behind it", func(c *frames, id uint32) { c.send(frameGoAway, 0, 0, 0, 0, 0, byte(id), 0, 0, 0, 0) }, false},
		{"reset", func(c *frames, id uint32) { c.send(frameReset, 0, id, 0, 0, 0, 2) }, false},
		{"closed", func(*frames, uint32) {}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDialer(t, Options{HTTP2: true, Address: frameTarget(t, func(c *frames) {
				c.settings(10)
				if id := c.request(); id != 0 {
					test.answer(c, id)
				}
			})})
			got, err := ask(t, d)
			if _, ok := errors.AsType[*UnprocessedError](err); err == nil || ok != test.unprocessed {
				t.Errorf("got %q, %v (%T), want it known as unprocessed: %v", got, err, err, test.unprocessed)
			}
		})
	}
}

func TestDial_neverOpensMoreStreamsThanTheTargetTakes(t *testing.T) {
	var conns, most atomic.Int32
	release := make(chan struct{})
	d := newDialer(t, Options{HTTP2: true, Address: frameTarget(t, func(c *frames) {
		conns.Add(1)
		c.settings(2)
		streams := int32(0)
		for c.request() != 0 {
			streams++
			most.Store(max(most.Load(), streams))
			release <- struct{}{}
		}
	})})
	for range 6 {
		conn := open(t, d)
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-release
	}
	if conns.Load() != 3 || most.Load() != 2 {
		t.Errorf("6 streams took %d connections with %d streams at most, want 3 with 2", conns.Load(), most.Load())
	}
}

func TestDial_saysWhatIsNoHTTP2(t *testing.T) {
	for _, test := range []struct{ name, first, want string }{
		{"HTTP/1", "HTTP/1.1 400 Bad Request\r\n\r\n", "it does not speak HTTP/2: write the target as"},
		{"something else", "220 mail.test ESMTP\r\n", "it does not speak HTTP/2"},
		{"nothing", "", "it closed the connection before its first HTTP/2 frame"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDialer(t, Options{HTTP2: true, Address: frameTarget(t, func(c *frames) { _, _ = io.WriteString(c, test.first) })})
			if _, err := d.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestDial_silentTargetEndsWithTheContext(t *testing.T) {
	d := newDialer(t, Options{HTTP2: true, Address: frameTarget(t, func(c *frames) { _ = c.request() })})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := d.Dial(ctx)
	if timeout, ok := errors.AsType[*Error](err); !ok || !timeout.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
}

// Nothing is lost when a target ends gracefully under load: what it says it has not
// seen is what the exchange sends again.
func TestDial_losesNothingWhenTheTargetGoesAway(t *testing.T) {
	for range 2 {
		server := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(w, r.Body)
		})}
		server.Protocols.SetUnencryptedHTTP2(true)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var running sync.WaitGroup
		running.Go(func() { _ = server.Serve(ln) })
		d := New(Options{HTTP2: true, Address: ln.Addr().String()})
		var answered atomic.Int32
		for range 8 {
			running.Go(func() {
				for {
					conn, err := d.Dial(context.Background())
					if err != nil {
						return // it is gone
					}
					_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
					b, err := io.ReadAll(conn)
					_ = conn.Close()
					if _, ok := errors.AsType[*UnprocessedError](err); ok {
						continue // it goes out again
					}
					if err != nil || !strings.HasSuffix(string(b), "hi") {
						t.Errorf("got %q, %v: a request was lost", b, err)
						return
					}
					answered.Add(1)
				}
			})
		}
		for answered.Load() < 200 && !t.Failed() {
			if _, err := ask(t, d); err != nil {
				t.Fatal(err)
			}
		}
		if err := server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		running.Wait()
		d.Close()
	}
}
