package proxy

import (
	"math"
	"runtime/metrics"
)

// memory is what the Go runtime holds, in bytes. Read without stopping anything.
type memory struct {
	limit  uint64 // the soft limit, GOMEMLIMIT; math.MaxInt64 is none
	held   uint64 // what cannot be given back: garbage that is not collected yet, too
	used   uint64 // without garbage, as far as the last collection knows
	cycles uint64 // collections so far
}

// limited reports whether there is a limit.
func (m memory) limited() bool { return m.limit > 0 && m.limit < math.MaxInt64 }

// share is the percentage of the limit that is in use. Where what is held exceeds
// the limit, garbage comes faster than it can be collected: it counts.
func (m memory) share() int {
	used := m.used
	if m.held >= m.limit {
		used = m.held
	}
	return int(used / max(m.limit/100, 1))
}

// memoryMeter reads memory; one user at a time.
type memoryMeter struct{ samples []metrics.Sample }

func newMemoryMeter() *memoryMeter {
	names := []string{
		"/gc/gomemlimit:bytes", "/gc/cycles/total:gc-cycles", "/gc/heap/live:bytes",
		"/memory/classes/total:bytes", "/memory/classes/heap/released:bytes", "/memory/classes/heap/free:bytes",
		"/memory/classes/heap/objects:bytes", "/memory/classes/heap/unused:bytes",
	}
	m := &memoryMeter{samples: make([]metrics.Sample, len(names))}
	for i, name := range names {
		m.samples[i].Name = name
	}
	return m
}

func (m *memoryMeter) read() memory {
	metrics.Read(m.samples)
	v := func(i int) uint64 {
		if m.samples[i].Value.Kind() != metrics.KindUint64 {
			panic("BUG: the runtime has no metric " + m.samples[i].Name)
		}
		return m.samples[i].Value.Uint64()
	}
	live, total, released, free, objects, unused := v(2), v(3), v(4), v(5), v(6), v(7)
	held := total - released - free
	return memory{limit: v(0), cycles: v(1), held: held, used: held - min(objects+unused, held) + live}
}
