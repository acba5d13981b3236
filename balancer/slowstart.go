package balancer

import (
	"math/rand/v2"
	"time"
)

// Shares are counted in parts of fullShare. A target that warms up begins with
// firstShare, about a tenth, or it would not get the requests that warm it.
const (
	fullShare  = 1024
	firstShare = fullShare / 10
)

// warmUp starts slow start, when it is configured.
func (t *Target) warmUp() {
	if t.options.SlowStart > 0 {
		// Zero means "warm", so the moments are counted from 1.
		t.warming.Store(int64(time.Since(t.created)) + 1)
	}
}

// share is the part of its normal traffic that the target should take now; it
// grows in a straight line. A target without slow start, or past it, costs no
// look at the clock.
func (t *Target) share() uint64 {
	if t.options.SlowStart == 0 {
		return fullShare
	}
	since := t.warming.Load()
	if since == 0 {
		return fullShare
	}
	elapsed := time.Since(t.created) - time.Duration(since-1)
	if elapsed >= t.options.SlowStart {
		t.warming.CompareAndSwap(since, 0)
		return fullShare
	}
	grown := float64(elapsed) / float64(t.options.SlowStart)
	return firstShare + uint64(grown*(fullShare-firstShare))
}

// shareOfWeight is the weight that the target should count with now.
func (t *Target) shareOfWeight() uint64 { return uint64(t.options.Weight) * t.share() }

// lucky reports true with the chance that the target's share gives.
func (t *Target) lucky() bool {
	share := t.share()
	return share == fullShare || rand.Uint64N(fullShare) < share
}
