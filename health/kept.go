package health

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// What is known of a target by a kept connection is less than by a new one: whether it
// still accepts, or whether another process is there by now, does not show.
const (
	// mostAsks is how many probes a connection serves in a row at most. The least is half
	// of that: what was made together does not end together.
	mostAsks = 50
	// keptPart of the timeout is how long a kept connection may take to answer; the rest
	// is for a new one.
	keptPart = 5
	// aloneFor is how many probes have a connection of their own behind one that was kept
	// and did not answer well: a target that closes what idles, or that serves one
	// connection at a time, is not troubled again and again.
	aloneFor = 100
)

// kept is a connection to a target between two probes. What it says counts only if it is
// good: it can confirm that a healthy target is well, and everything else is found out
// on a new one. Nothing waits for it, neither a goroutine nor the runtime's poller, which
// would wake a thread for each answer: it is looked at now and then.
type kept struct {
	prober *httpProber // immutable
	shed   atomic.Bool // closed by the crowd, which says nothing of the target
	asks   int         // how many probes it may still serve; guarded by loop.turn
	path   int         // the number of the one asked last; guarded by loop.turn

	mu sync.Mutex
	fd int // guarded by mu; -1 when it is closed
}

// newKept takes conn, which is closed either way. It returns nil when it cannot be kept.
func newKept(conn net.Conn, p *httpProber) *kept {
	defer conn.Close()
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	k := &kept{prober: p, asks: mostAsks - 1 - rand.IntN(mostAsks/2), fd: -1}
	if err := raw.Control(func(fd uintptr) { k.fd = duplicate(fd) }); err != nil || k.fd < 0 {
		return nil
	}
	return k
}

func (k *kept) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fd >= 0 {
		closeNow(k.fd)
		k.fd = -1
	}
}

// send asks the path with number i, and reports false when the connection is of no more
// use. Nothing may have come: so what is read later answers this request.
func (k *kept) send(i int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fd < 0 {
		return false
	}
	k.path = i
	var unasked [1]byte
	_, wait := readNow(k.fd, unasked[:])
	return wait && writeNow(k.fd, k.prober.requests[i])
}

// looked is what a look at a kept connection found.
type looked int

const (
	silent   looked = iota // there is no answer yet
	answered               // there is a good one
	useless                // there is none that counts, nor will be one
)

// look reads the answer to the request that was sent.
func (k *kept) look() (Result, looked) {
	k.mu.Lock()
	defer k.mu.Unlock()
	buf := quickBuffers.Get().(*[quickSize]byte)
	defer quickBuffers.Put(buf)
	if k.fd < 0 {
		return Result{}, useless
	}
	n, wait := readNow(k.fd, buf[:])
	if wait {
		return Result{}, silent
	}
	a, found := readPlain(buf[:n])
	if found != plain || !a.lasts {
		return Result{}, useless
	}
	r := Result{Path: k.prober.o.Paths[k.path]}
	r.take(a.code, a.body, k.prober.judge(a.code, a.body))
	if !r.OK {
		return Result{}, useless
	}
	return r, answered
}

// last reports whether no path is left to ask.
func (k *kept) last() bool { return k.path == len(k.prober.o.Paths)-1 }
