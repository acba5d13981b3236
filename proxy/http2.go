package proxy

import (
	"net"
	"net/http"
	"sync"
	"time"

	"upfront/proxy/http2"
)

// What an HTTP/2 connection may have at once.
const (
	maxStreams   = 100
	maxFrame     = 16 << 10
	streamUnread = 256 << 10 // of a body, that its target has not taken
	connUnread   = 512 << 10
	perField     = 32 // of SETTINGS_MAX_HEADER_LIST_SIZE, see RFC 9113 §6.5.2
	headSlack    = 4 << 10
	// lastWords is how long a client may take to read why its connection ends.
	lastWords = 500 * time.Millisecond
)

// http2Conn is the connection of a client that speaks HTTP/2. It stands between the
// client and net/http, which speaks the protocol: it follows the frames, and ends
// the connection of a client that abuses them.
type http2Conn struct {
	net.Conn // the client's
	c        *client
	settings *Settings // those at the start
	group    group
	speaker  http.Server

	reading    sync.Mutex // held while net/http reads
	in         []byte     // guarded by reading
	read, have int        // guarded by reading; in[read:have] is not handed on yet
	failed     error      // guarded by reading; once in is handed on
	head       int        // guarded by reading; see [http2.Watch.Head]
	timed      int        // guarded by reading; the head that the deadline of reads is for

	writing sync.Mutex // held while a frame goes out
	mu      sync.Mutex
	watch   *http2.Watch // guarded by mu
	retired bool         // guarded by mu; no new stream is wanted
	over    bool         // guarded by mu; net/http is done
	unread  bool         // guarded by mu; nothing more is wanted from the client

	closed  chan struct{} // closed when net/http is done
	running sync.WaitGroup
}

// serveHTTP2 serves a client that speaks HTTP/2, until its connection ends. What
// arrived is in the client's buffer, beginning with the preface.
func (c *client) serveHTTP2() {
	h := newHTTP2Conn(c)
	c.noticeDeath(h.settings.BodyTimeout)
	c.server.counters.HTTP2.Add(1)
	c.idleSince.Store(time.Now().UnixNano())
	c.become(h)
	_ = h.speaker.Serve(&oneConn{h: h})
	h.group.close()
	h.end()
	h.running.Wait()
	c.become(nil)
	c.idleSince.Store(0)
	c.readBy, c.writeBy = time.Time{}, time.Time{}
	c.linger(lastWords)
}

// end keeps goroutines of net/http that are still there from the client's connection:
// its reader does not end before the connection is closed.
func (h *http2Conn) end() {
	h.mu.Lock()
	h.endReads()
	h.mu.Unlock()
	_ = h.c.SetWriteDeadline(time.Now().Add(lastWords)) // of a write that is under way
	h.reading.Lock()
	h.read, h.have, h.failed = 0, 0, net.ErrClosed
	h.reading.Unlock()
	h.writing.Lock()
	defer h.writing.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
}

// used reports whether the client has opened a stream.
func (h *http2Conn) used() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.watch.Last() > 0
}

// become says that c carries streams.
func (c *client) become(h *http2Conn) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.http2 = h
}

func newHTTP2Conn(c *client) *http2Conn {
	settings := c.server.settings.Load()
	c.version, c.shares = "HTTP/2.0", new(shares)
	h := &http2Conn{Conn: c.Conn, c: c, settings: settings, closed: make(chan struct{})}
	h.group.settle = h.settle
	h.takeOver()

	most := settings.MaxHeadBytes + settings.MaxFields*perField + headSlack
	h.watch = http2.NewWatch(most, settings.trusts(c.addr.Addr()), time.Now)
	h.speaker = http.Server{
		Handler: h,
		// OPTIONS * is for targets as well.
		DisableGeneralOptionsHandler: true,
		Protocols:                    new(http.Protocols),
		MaxHeaderBytes:               most,
		IdleTimeout:                  max(settings.IdleTimeout, 0),
		ReadHeaderTimeout:            max(settings.HeadTimeout, 0), // for the preface
		ErrorLog:                     c.server.speaker.ErrorLog,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReadFrameSize:              maxFrame,
			MaxReceiveBufferPerStream:     streamUnread,
			MaxReceiveBufferPerConnection: connUnread,
		},
	}
	h.speaker.Protocols.SetUnencryptedHTTP2(true) // TLS, where there is any, is below us
	if h.have > 0 {
		h.failed = h.watch.In(h.in[:h.have])
		h.head = h.watch.Head()
	}
	return h
}

// takeOver takes what arrived before we knew the protocol: nothing behind TLS.
func (h *http2Conn) takeOver() {
	h.in = make([]byte, headBuffer)
	if c := h.c; c.workspace != nil {
		h.in = append(h.in[:0], c.buffered()...)
		h.have = len(h.in)
		h.in = h.in[:cap(h.in)]
		c.read = c.have
		c.giveBack()
	}
}

// ServeHTTP is called by net/http for each request, in a goroutine of its own.
func (h *http2Conn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.group.open() {
		panic(http.ErrAbortHandler) // it comes behind the end
	}
	defer h.group.running.Done()
	h.c.idleSince.Store(0)
	if h.c.server.leaving.Load() {
		h.retire() // not before: a client sent away without a stream comes again at once
	}
	defer h.settle()
	h.group.serve(newStream(h.c, w, r))
}

// settle is called when a handler is done.
func (h *http2Conn) settle() {
	if h.c.server.keepsNone() {
		h.retire()
	}
	if h.group.idle() {
		h.c.idleSince.Store(time.Now().UnixNano())
	}
}

// oneConn is a listener with one connection to accept.
type oneConn struct {
	h     *http2Conn
	given bool
}

// Accept returns the connection, and then waits until it is closed.
func (l *oneConn) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.h, nil
	}
	<-l.h.closed
	return nil, net.ErrClosed
}

// Close does nothing: it is the connection that ends.
func (l *oneConn) Close() error { return nil }

// Addr is where the connection arrived.
func (l *oneConn) Addr() net.Addr { return l.h.LocalAddr() }
