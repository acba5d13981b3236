package testtarget

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// Options of a target; the zero value is a healthy target on a free port.
type Options struct {
	// Address to listen on. Default "127.0.0.1:0".
	Address string
	// Version that the answers name. Default "v1". No spaces.
	Version string
	// IdleTimeout after which an idle keep-alive connection is closed. Zero
	// keeps it.
	IdleTimeout time.Duration
	// ReadyAfter is how long /up answers 503 after the first Listen. Zero is
	// ready at once.
	ReadyAfter time.Duration
	// UpStatus and UpBody are the answer of /up, until SetUp. Default 200 "OK".
	UpStatus int
	UpBody   string
	// Mode at first. Refuse keeps Listen from opening a listener.
	Mode Mode
}

// Target is one scriptable instance of an app. Its methods are safe for
// concurrent use.
type Target struct {
	version string               // set once in New
	serve   func(net.Conn) error // set once in New
	up      up
	counts  counts
	conns   conns
	mode    atomic.Pointer[modeState]

	mu       sync.Mutex
	address  string       // guarded by mu; the chosen port once Listen succeeded
	listener net.Listener // guarded by mu; nil while refused or closed
	wait     sync.WaitGroup
}

// modeState is a mode, and a channel that is closed when the mode ends.
type modeState struct {
	mode  Mode
	ended chan struct{}
}

// New returns a target that does not listen yet.
func New(o Options) *Target {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if o.Version == "" {
		o.Version = "v1"
	}
	t := &Target{version: o.Version, address: o.Address}
	t.up.init(o)
	t.mode.Store(&modeState{mode: o.Mode, ended: make(chan struct{})})
	server := &fasthttp.Server{
		Handler:            t.handle,
		Name:               "testtarget",
		IdleTimeout:        o.IdleTimeout,
		StreamRequestBody:  true,
		MaxRequestBodySize: 1 << 30,
		NoDefaultDate:      true, // its clock goroutine would never end
		Logger:             silent{},
		KeepHijackedConns:  true,
	}
	t.serve = server.ServeConn
	return t
}

// Version is what the answers name.
func (t *Target) Version() string { return t.version }

// Addr is host:port, with the chosen port once Listen succeeded.
func (t *Target) Addr() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.address
}

// Listen opens the listener, on the same port as before when there was one, and
// serves in the background until Kill or Close. In mode Refuse it only chooses
// the port.
func (t *Target) Listen() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listener != nil {
		return nil
	}
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", t.address)
	if err != nil {
		return err
	}
	t.address = ln.Addr().String()
	t.up.listening(time.Now())
	if t.mode.Load().mode == Refuse {
		return ln.Close()
	}
	t.listener = ln
	t.conns.open()
	t.wait.Go(func() { t.accept(ln) })
	return nil
}

func (t *Target) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		if !t.conns.add(c) {
			continue
		}
		t.wait.Go(func() {
			defer t.conns.remove(c)
			// A connection's end is the client's business, whatever the error.
			_ = t.serve(c)
		})
	}
}

// SetMode changes how requests are treated from now on. It ends what hangs, and
// closes or reopens the listener for Refuse.
func (t *Target) SetMode(m Mode) error {
	last := t.mode.Swap(&modeState{mode: m, ended: make(chan struct{})})
	close(last.ended)
	if m == Refuse {
		t.closeListener()
		return nil
	}
	if last.mode == Refuse {
		return t.Listen()
	}
	return nil
}

// SetUp sets what /up answers from now on.
func (t *Target) SetUp(status int, body string) { t.up.set(status, body) }

// Kill closes the listener and every connection at once, as the kernel does for
// a process that got SIGKILL. Listen brings the target back.
func (t *Target) Kill() {
	t.closeListener()
	t.conns.closeAll()
}

// Close kills the target and waits for its goroutines.
func (t *Target) Close() {
	_ = t.SetMode(Refuse) // releases what hangs; Refuse cannot fail
	t.Kill()
	t.wait.Wait()
}

func (t *Target) closeListener() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listener != nil {
		_ = t.listener.Close()
		t.listener = nil
	}
}

// silent is fasthttp's logger: the clients of a test see what went wrong.
type silent struct{}

func (silent) Printf(string, ...any) {}
