package load

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"time"

	"upfront/bench/wire"
)

// Slowness is one way to hold a connection and give nothing for it. The flags are
// those that make slowhttptest do the same, and the pieces are as large and as far
// apart as its.
type Slowness struct {
	Name  string
	Flags []string

	open  string        // what the client sends at first
	more  string        // and every interval; "" reads a few bytes instead
	every time.Duration // the interval
}

// Slownesses are heads and bodies that do not end, and readers of /1m that hardly read.
var Slownesses = []Slowness{
	{
		Name: "heads", Flags: []string{"-H", "-i", "10", "-x", "20"},
		open: "GET / HTTP/1.1\r\nHost: bench.test\r\n", more: "X-Slow: abcdefghij\r\n", every: 10 * time.Second,
	},
	{
		Name: "bodies", Flags: []string{"-B", "-i", "10", "-s", "8192", "-x", "10"},
		open: "POST / HTTP/1.1\r\nHost: bench.test\r\nContent-Length: 8192\r\n\r\n", more: "&abcdefghij=klmnopqrst",
		every: 10 * time.Second,
	},
	{
		Name: "readers", Flags: []string{"-X", "-n", "1", "-z", "5", "-w", "512", "-y", "1024"},
		open: "GET /1m HTTP/1.1\r\nHost: bench.test\r\n\r\n", every: time.Second,
	},
}

const (
	// slowRead is how much a reader takes at a time, in bytes, and slowWindow what it
	// has room for.
	slowRead   = 5
	slowWindow = 1024
	// slowRate is how many connections are opened a second.
	slowRate = 2500
)

// SlowResult is what became of slow clients.
type SlowResult struct {
	Opened int
	// Cut is how many the proxy ended, the first and the last of them so long after
	// they were opened.
	Cut         int
	First, Last time.Duration
}

// slowConn is one slow client.
type slowConn struct {
	fd     int           // -1: cut
	opened time.Duration // since the load began
	asked  bool
}

// slowTick is how exactly pieces are on time.
const slowTick = time.Millisecond

// slowLoad is all slow clients. One goroutine may use it.
type slowLoad struct {
	Slowness
	poller *wire.Poller
	conns  []*slowConn
	wheel  [][]*slowConn // by the tick of the interval in which their pieces are due
	tick   int           // since the load began, which is done
	began  time.Time
	buf    [4096]byte
	result SlowResult
}

// RunSlow opens n slow connections, calls opened once they are, and keeps them until
// stop is closed. It costs next to nothing: their pieces are spread evenly over the
// interval.
func RunSlow(s Slowness, address string, n int, opened func(), stop <-chan struct{}) (SlowResult, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	to, err := wire.ParseAddress(address)
	if err != nil {
		return SlowResult{}, err
	}
	poller, err := wire.NewPoller()
	if err != nil {
		return SlowResult{}, err
	}
	defer poller.Close()
	l := &slowLoad{Slowness: s, poller: poller, began: time.Now(), wheel: make([][]*slowConn, s.every/slowTick)}
	defer l.close()
	for {
		select {
		case <-stop:
			return l.result, nil
		default:
		}
		for l.result.Opened < min(n, 1+int(l.age().Seconds()*slowRate)) {
			if err := l.connect(to); err != nil {
				return l.result, err
			}
			if l.result.Opened == n {
				opened()
			}
		}
		if err := l.turn(); err != nil {
			return l.result, err
		}
	}
}

func (l *slowLoad) age() time.Duration { return time.Since(l.began) }

func (l *slowLoad) connect(to wire.Address) error {
	window := 0
	if l.more == "" {
		window = slowWindow
	}
	fd, err := wire.ConnectWindow(to, window)
	if err != nil {
		return err
	}
	c := &slowConn{fd: fd, opened: l.age()}
	l.result.Opened++
	l.conns = append(l.conns, c)
	due := rand.N(len(l.wheel))
	l.wheel[due] = append(l.wheel[due], c)
	l.piece(c)
	if l.more == "" || c.fd < 0 { // what comes is not read, and would be reported for ever
		return nil
	}
	return l.poller.Add(fd, int32(len(l.conns)-1))
}

// turn waits for a tick at most, notes who was cut, and sends the pieces that are due.
func (l *slowLoad) turn() error {
	happened, err := l.poller.Wait(slowTick)
	if err != nil {
		return err
	}
	for _, e := range happened {
		if c := l.conns[e.Token]; c.fd >= 0 {
			l.note(c, l.read(c, l.buf[:]))
		}
	}
	for ; l.tick < int(l.age()/slowTick); l.tick++ {
		for _, c := range l.wheel[l.tick%len(l.wheel)] {
			if c.fd >= 0 {
				l.piece(c)
			}
		}
	}
	return nil
}

// piece is what c does from time to time.
func (l *slowLoad) piece(c *slowConn) {
	switch {
	case !c.asked:
		_, err := wire.Write(c.fd, []byte(l.open))
		c.asked = err == nil
		l.note(c, err)
	case l.more == "":
		l.note(c, l.read(c, l.buf[:slowRead]))
	default:
		_, err := wire.Write(c.fd, []byte(l.more))
		l.note(c, err)
	}
}

func (l *slowLoad) read(c *slowConn, b []byte) error {
	_, err := wire.Read(c.fd, b)
	return err
}

// note counts c as cut when err says so.
func (l *slowLoad) note(c *slowConn, err error) {
	if err == nil || errors.Is(err, wire.ErrAgain) {
		return
	}
	wire.Reset(c.fd)
	c.fd = -1
	age := l.age() - c.opened
	if l.result.Cut == 0 {
		l.result.First = age
	}
	l.result.Cut++
	l.result.First, l.result.Last = min(l.result.First, age), max(l.result.Last, age)
}

func (l *slowLoad) close() {
	for _, c := range l.conns {
		if c.fd >= 0 {
			wire.Reset(c.fd)
		}
	}
}
