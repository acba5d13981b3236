package balancer

import "math/bits"

// leastConnections acquires the least loaded usable target.
func (p *Pool) leastConnections(tried []*Target, r regard) *Target {
	for {
		t := p.leastLoaded(tried, r)
		// acquire fails only when the target became unavailable since we
		// looked; then look again.
		if t == nil || t.acquire(r) {
			return t
		}
	}
}

// leastLoaded finds the smallest load in a first walk; when several have it, a
// second walk picks the one whose turn it is.
func (p *Pool) leastLoaded(tried []*Target, r regard) *Target {
	var (
		first  *Target
		least  load
		equals int
		weight uint64 // of the equals together
	)
	for _, t := range p.targets {
		if !usable(t, tried, r) {
			continue
		}
		l := t.load()
		switch {
		case first == nil || l.less(least):
			first, least, equals, weight = t, l, 1, l.weight
		case !least.less(l):
			equals++
			weight += l.weight
		}
	}
	if equals < 2 {
		return first
	}
	place := p.spread(weight)
	for _, t := range p.targets {
		if !usable(t, tried, r) {
			continue
		}
		l := t.load()
		if least.less(l) {
			continue
		}
		if place < l.weight {
			return t
		}
		place -= l.weight
	}
	return first // loads moved between the two walks
}

// spread turns the next ticket into a place below width. Multiples of the golden
// ratio fill any division of the width in proportion and without bursts, so that
// this is round robin for equal weights and weighted round robin for others.
func (p *Pool) spread(width uint64) uint64 {
	const golden = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
	place, _ := bits.Mul64(p.cursor.Add(1)*golden, width)
	return place
}
