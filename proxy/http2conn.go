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
			return h.receive(p)
		}
		h.read = 0
		if h.have, h.failed = h.receive(h.in); h.have == 0 {
			return 0, h.failed
		}
	}
	n := copy(p, h.in[h.read:h.have])
	h.read += n
	return n, nil
}

// receive reads from the client, and watches what came.
func (h *http2Conn) receive(p []byte) (int, error) {
	if h.head != h.timed {
		h.timeHead()
	}
	n, err := h.Conn.Read(p)
	if h.timed > 0 && err != nil && timedOut(err) {
		h.tooSlow()
		return 0, err
	}
	if bad := h.follow(p[:n]); bad != nil {
		return 0, bad
	}
	return n, err
}

// follow watches what the client sent, and ends the connection when that is too
// much.
func (h *http2Conn) follow(b []byte) error {
	h.mu.Lock()
	err := h.watch.In(b)
	last := h.watch.Last()
	h.head = h.watch.Head()
	h.mu.Unlock()
	if err != nil {
		h.calm(last)
		return io.ErrUnexpectedEOF
	}
	return nil
}

// timeHead has the reads for a head end in time, however many they are.
func (h *http2Conn) timeHead() {
	h.timed = h.head
	var by time.Time
	if d := h.c.server.pressure.now().within(h.settings.HeadTimeout); h.head > 0 && d > 0 {
		by = time.Now().Add(d)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.unread {
		_ = h.Conn.SetReadDeadline(by)
	}
}

// tooSlow says that a head did not arrive in time, unless nothing was wanted any more.
func (h *http2Conn) tooSlow() {
	h.mu.Lock()
	last, wanted := h.watch.Last(), !h.unread
	h.mu.Unlock()
	if wanted {
		h.calm(last)
	}
}

// endReads wakes net/http's reader for good. The caller holds mu.
func (h *http2Conn) endReads() {
	h.unread = true
	_ = h.Conn.SetReadDeadline(time.Unix(1, 0))
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
		_, _ = h.write(http2.AppendGoAway(nil, last, code)) // whoever is gone needs none
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
	n, err := h.write(p)
	h.mu.Lock()
	bad := h.watch.Out(p[:n])
	last, done := h.watch.Last(), h.watch.Done()
	between := h.watch.Between()
	h.mu.Unlock()
	switch {
	case bad != nil:
		h.c.server.counters.HTTP2Calmed.Add(1)
		if between {
			_, _ = h.write(http2.AppendGoAway(nil, last, http2.EnhanceYourCalm))
		}
		return n, bad
	case done && err == nil:
		h.mu.Lock()
		h.endReads() // all is said: net/http need not wait for the client
		h.mu.Unlock()
	}
	return n, err
}

// write has the patience of armWrite, as what is below TLS has where there is TLS.
func (h *http2Conn) write(p []byte) (int, error) {
	if h.c.layer != nil {
		return h.Conn.Write(p)
	}
	return h.c.Write(p)
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
		h.endReads()
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
