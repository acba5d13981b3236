package proxy

import (
	"context"
	"io"
	"net"
	"runtime"
	"time"

	"upfront/proxy/http2"
)

// Read hands on what the client sent. net/http reads the start of each frame on its
// own, so that a buffer saves every second system call.
func (h *http2Conn) Read(p []byte) (int, error) {
	h.reading.Lock()
	defer h.reading.Unlock()
	if h.read == h.have {
		if h.failed != nil {
			return 0, h.failed
		}
		if len(p) >= len(h.in) {
			n, err := h.Conn.Read(p)
			if bad := h.follow(p[:n]); bad != nil {
				return 0, bad
			}
			return n, err
		}
		n, err := h.Conn.Read(h.in)
		h.read, h.have, h.failed = 0, n, err
		if bad := h.follow(h.in[:n]); bad != nil {
			h.have, h.failed = 0, bad
		}
		if h.have == 0 {
			return 0, h.failed
		}
	}
	n := copy(p, h.in[h.read:h.have])
	h.read += n
	return n, nil
}

// follow watches what the client sent, and ends the connection when that is too
// much.
func (h *http2Conn) follow(b []byte) error {
	h.mu.Lock()
	err := h.watch.In(b)
	last := h.watch.Last()
	h.mu.Unlock()
	if err != nil {
		h.calm(last)
		return io.ErrUnexpectedEOF
	}
	return nil
}

// calm tells the client why its connection ends, where a frame can be put.
func (h *http2Conn) calm(last uint32) {
	h.c.server.counters.HTTP2Calmed.Add(1)
	h.say(last, http2.EnhanceYourCalm)
}

// say sends a GOAWAY between two frames, unless one is just going out, and reports
// whether it did.
func (h *http2Conn) say(last uint32, code http2.Code) bool {
	if !h.writing.TryLock() {
		return false
	}
	defer h.writing.Unlock()
	h.mu.Lock()
	between := h.watch.Between() && !h.over
	h.mu.Unlock()
	if between {
		h.c.armWrite(time.Now(), h.settings.BodyTimeout)
		_, _ = h.Conn.Write(http2.AppendGoAway(nil, last, code)) // whoever is gone needs none
	}
	return between
}

// Write sends frames of net/http. Whoever can run goes first: frames that come
// meanwhile go out in one system call, which is what a frame costs most.
func (h *http2Conn) Write(p []byte) (int, error) {
	runtime.Gosched()
	h.writing.Lock()
	defer h.writing.Unlock()
	h.mu.Lock()
	over := h.over
	h.mu.Unlock()
	if over {
		return 0, net.ErrClosed
	}
	h.c.armWrite(time.Now(), h.settings.BodyTimeout)
	n, err := h.Conn.Write(p)
	h.mu.Lock()
	bad := h.watch.Out(p[:n])
	last, done := h.watch.Last(), h.watch.Done()
	between := h.watch.Between()
	h.mu.Unlock()
	switch {
	case bad != nil:
		h.c.server.counters.HTTP2Calmed.Add(1)
		if between {
			_, _ = h.Conn.Write(http2.AppendGoAway(nil, last, http2.EnhanceYourCalm))
		}
		return n, bad
	case done && err == nil:
		_ = h.Conn.SetReadDeadline(time.Unix(1, 0)) // all is said: net/http need not wait for the client
	}
	return n, err
}

// Close is called by net/http when it is done. The client's connection stays open
// for a moment, for what it was sent may not have arrived yet.
func (h *http2Conn) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.closed:
	default:
		close(h.closed)
		_ = h.Conn.SetReadDeadline(time.Unix(1, 0)) // wakes net/http's reader
	}
	return nil
}

// SetDeadline and SetWriteDeadline do nothing: each write has its deadline from us.
func (h *http2Conn) SetDeadline(t time.Time) error { return h.SetReadDeadline(t) }

// SetWriteDeadline does nothing.
func (h *http2Conn) SetWriteDeadline(time.Time) error { return nil }

// retire makes the client open no more streams here, lets those end that it has, and
// then ends the connection. It does not wait.
func (h *http2Conn) retire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.retired || h.over {
		return
	}
	h.retired = true
	h.running.Go(h.wind)
}

// wind ends the connection in the two steps of RFC 9113 §6.8: streams that are under
// way when the client hears of it are served.
func (h *http2Conn) wind() {
	h.warn()
	tail := time.NewTimer(idleTail)
	defer tail.Stop()
	select {
	case <-h.closed:
		return
	case <-tail.C:
	case <-h.c.server.quit: // the process is about to end
		tail.Reset(lastTail)
		select {
		case <-h.closed:
			return
		case <-tail.C:
		}
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = h.speaker.Shutdown(now) // has net/http say the last stream, and does not wait
}

// warn says, as soon as that can be, that the connection takes no more streams.
func (h *http2Conn) warn() {
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	for range idleTail / lookInterval {
		if h.say(http2.NoLimit, http2.NoError) {
			return
		}
		select {
		case <-h.closed:
			return
		case <-look.C:
		}
	}
}
