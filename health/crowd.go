package health

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// manyTargets is how many have to be probed before connections are kept, and probes
// gathered: of fewer, each is asked on a connection of its own, at a time of its own,
// which costs next to nothing.
const manyTargets = 1000

// How many routine probes run at once. Thousands of targets that are due together would
// else have thousands of goroutines and connections, while the machine can answer a few.
// A probe that waits for a slow target soon gives up its place, so targets do not wait
// for each other, and places never bind before the processors do.
const (
	mostYoung = 512                    // for each processor
	youngFor  = 100 * time.Millisecond // how long a probe keeps its place
	placeWait = 100 * time.Millisecond // until a probe that found none tries again, give or take half
)

// Crowd is what monitors share that are to know of each other. Safe for concurrent use.
type Crowd struct {
	room   Room         // immutable; nil keeps no connections
	places int64        // immutable; how many probes may be young
	probed atomic.Int64 // monitors between Start and Stop
	young  atomic.Int64 // places taken

	mu   sync.Mutex
	kept map[*kept]struct{} // guarded by mu; those that have a descriptor of room
	next []*Monitor         // guarded by mu; of the next round; each has joined its alarm
}

// Room is where the file descriptors of kept connections come from. Safe for concurrent
// use.
type Room interface {
	// TakeSpare takes one that nobody else needs now, and reports whether there was one.
	TakeSpare() bool
	// GiveSpare gives one back.
	GiveSpare()
}

// NewCrowd returns one whose monitors keep connections between probes once there are
// more than a thousand targets, as long as room has descriptors for them. Nil has none.
func NewCrowd(room Room) *Crowd {
	return &Crowd{room: room, places: int64(mostYoung * runtime.GOMAXPROCS(0)), kept: make(map[*kept]struct{})}
}

// Shed closes a connection that is kept, for somebody else needs its descriptor, and
// reports whether there was one. It never blocks.
func (c *Crowd) Shed() bool {
	c.mu.Lock()
	var one *kept
	for k := range c.kept {
		one = k
		break
	}
	delete(c.kept, one)
	c.mu.Unlock()
	if one == nil {
		return false
	}
	one.shed.Store(true)
	one.close()
	c.room.GiveSpare()
	return true
}

// await has m ring in the next round.
func (c *Crowd) await(m *Monitor) {
	if !m.loop.alarm.join() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.next) == 0 {
		time.AfterFunc(firstLook, c.round)
	}
	c.next = append(c.next, m)
}

// round goes through those who wait for an answer on a kept connection, in one goroutine:
// a timer and a goroutine for each would cost a third of such a probe. Who stops one of
// them waits for its turn.
func (c *Crowd) round() {
	c.mu.Lock()
	turn := c.next
	c.next = make([]*Monitor, 0, len(turn))
	c.mu.Unlock()
	for _, m := range turn {
		ctx, keep, ok := m.begin()
		if !ok {
			m.loop.alarm.leave()
			continue
		}
		go func() {
			defer m.loop.alarm.leave()
			m.end(m.prober.Probe(ctx, keep))
		}()
	}
}

// keep reports whether there is a descriptor for k, which is then to be released.
func (c *Crowd) keep(k *kept) bool {
	if c.room == nil || !c.room.TakeSpare() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[k] = struct{}{}
	return true
}

// release closes k, and gives its descriptor back.
func (c *Crowd) release(k *kept) {
	c.mu.Lock()
	_, ok := c.kept[k]
	delete(c.kept, k)
	c.mu.Unlock()
	k.close()
	if ok {
		c.room.GiveSpare()
	}
}

func (c *Crowd) many() bool { return c.probed.Load() > manyTargets }

func (c *Crowd) takePlace() bool {
	if c.young.Add(1) <= c.places {
		return true
	}
	c.givePlace()
	return false
}

func (c *Crowd) givePlace() { c.young.Add(-1) }
