package proxy

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"upfront/internal/logfield"
	"upfront/service"
)

// level is how short memory is, which decides what is shed.
type level int32

// The levels. Each sheds what those before it do.
const (
	ample level = iota // nothing
	tight              // connections behind their answer, and idle ones
	short              // new requests: 503
	out                // new connections, but for a few: they wait in the kernel's queue
)

// levelUp is the percentages of the limit from which a level holds; it ends
// levelDrop below, so that it does not flutter.
var levelUp = [...]int{tight: 80, short: 90, out: 100}

const levelDrop = 10

// next is the level that follows l at share percent of the limit.
func (l level) next(share int) level {
	for l < out && share >= levelUp[l+1] {
		l++
	}
	for l > ample && share < levelUp[l]-levelDrop {
		l--
	}
	return l
}

// credit is how many connections may come until the next look: those for which
// there is room before requests are shed, and a few in any case, if only to be
// told no.
func (l level) credit(m memory) int64 {
	most := m.limit / 100 * uint64(levelUp[short])
	return max(int64((max(most, m.held)-m.held)/clientCost), leastCredit)
}

// within is how long a client may take for what has the time d otherwise.
func (l level) within(d time.Duration) time.Duration {
	if l >= short && (d > hurry || d <= 0) {
		return hurry
	}
	return d
}

// hurry is how long a head may take to come, and a client to stop sending, where
// requests are shed.
const hurry = 500 * time.Millisecond

// pressure is what the watch of the memory has found.
type pressure struct {
	level  atomic.Int32
	credit atomic.Int64 // connections that may come until the next look
	on     atomic.Bool  // there is a limit, and a watch

	cycles    uint64    // owner: the watch; collections at collected
	collected time.Time // owner: the watch; when the last collection was seen
}

func (p *pressure) now() level { return level(p.level.Load()) }

// takeCredit reports whether one more connection may come.
func (p *pressure) takeCredit() bool {
	return !p.on.Load() || p.credit.Add(-1) >= 0
}

const (
	// memoryInterval between two looks at the memory.
	memoryInterval = 100 * time.Millisecond
	// clientCost is what a client with a slow upload holds, generously: so many
	// come between two looks as have room.
	clientCost  = 48 << 10
	leastCredit = 32
	// fewClients do not fill the memory: if it is full all the same, the limit is
	// too small for what is deployed, and to shed would help nobody.
	fewClients = 16
	// staleAfter is how old what the last collection knows may be while something
	// is shed because of it.
	staleAfter = time.Second
)

// watchMemory follows the memory until ctx ends. Without a limit it returns at
// once.
func (s *Server) watchMemory(ctx context.Context) {
	p := &s.pressure
	meter := newMemoryMeter()
	m := meter.read()
	if !m.limited() {
		return
	}
	p.collected = time.Now()
	s.feel(m)
	p.on.Store(true)
	tick := time.NewTicker(memoryInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			m := meter.read()
			s.feel(m)
			p.refresh(now, m)
		}
	}
}

// feel sets the level and the credit that follow from m.
func (s *Server) feel(m memory) {
	p := &s.pressure
	share := m.share()
	clients := s.census()
	if clients < fewClients {
		share = 0
	}
	before := p.now()
	now := before.next(share)
	p.level.Store(int32(now))
	p.credit.Store(now.credit(m))
	if s.seats.crowded() {
		s.seats.tell()
	}
	if now >= tight {
		s.closeIdle(clients)
	}
	if now != before {
		s.report(before, now, m)
	}
}

// refresh has the garbage collected when the last collection is long ago and
// something is shed because of what it found: with little traffic left, the next
// one could take minutes.
func (p *pressure) refresh(now time.Time, m memory) {
	if m.cycles != p.cycles {
		p.cycles, p.collected = m.cycles, now
		return
	}
	if p.now() > ample && now.Sub(p.collected) > staleAfter {
		runtime.GC()
	}
}

// report says that the level changed.
func (s *Server) report(before, now level, m memory) {
	fields := []zap.Field{
		logfield.State(now.String()), logfield.PreviousState(before.String()),
		zap.Uint64("used", m.used), zap.Uint64("held", m.held), zap.Uint64("limit", m.limit),
	}
	if now == ample {
		s.log.Info("Memory suffices again", fields...)
		return
	}
	s.log.Warn("Memory is short", fields...)
}

// String is the level in the log.
func (l level) String() string {
	return [...]string{"ample", "tight", "short", "out"}[l]
}

// shed refuses a new request where memory is short, before its body is read. Health
// checks that we answer ourselves are answered all the same.
func (x *exchange) shed() *Error {
	s := x.c.server
	if s.pressure.now() < short || x.svc.Gate.State() != service.Running && x.asksHealth() {
		return nil
	}
	s.counters.Shed.Add(1)
	x.close = true
	return &Error{Op: "admit", Source: FromProxy, Status: 503, Err: errShort}
}
