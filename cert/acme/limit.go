package acme

import (
	"sync"
	"time"
)

// bucket lets through burst at once, and one more each interval.
type bucket struct {
	burst    int
	interval time.Duration

	mu   sync.Mutex
	full time.Time // guarded by mu; when all of burst will be there
}

func newBucket(burst int, interval time.Duration) bucket {
	return bucket{burst: burst, interval: interval}
}

// take reports whether one more may pass.
func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.full
	if next.Before(now) {
		next = now
	}
	next = next.Add(b.interval)
	if next.Sub(now) > time.Duration(b.burst)*b.interval {
		return false
	}
	b.full = next
	return true
}

// maxRefusals is how many names are remembered, twice: as many as fit into few megabytes.
const maxRefusals = 10_000

// refusals are names that are not asked about for a while. The youngest are remembered,
// however many there are.
type refusals struct {
	mu         sync.Mutex
	young, old map[string]time.Time // guarded by mu; until when
}

func newRefusals() refusals {
	return refusals{young: map[string]time.Time{}}
}

func (r *refusals) add(name string, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.young) >= maxRefusals {
		r.young, r.old = map[string]time.Time{}, r.young
	}
	r.young[name] = until
}

func (r *refusals) has(name string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.young[name]
	if !ok {
		until = r.old[name]
	}
	return until.After(now)
}
