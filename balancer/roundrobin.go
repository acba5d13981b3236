package balancer

// maxTurns bounds the turns that one request takes before it looks at every
// target instead: in a large pool with hardly a target left, each turn would be
// one more write to the shared cursor.
const maxTurns = 64

// roundRobin takes turns from the shared cursor until one falls on a usable
// target. A turn that falls on another is used up: scanning on from there
// instead would give the neighbour of a dead target a double share.
func (p *Pool) roundRobin(tried []*Target, r regard) *Target {
	slots := uint64(len(p.schedule))
	for range min(slots, maxTurns) {
		t := p.schedule[(p.cursor.Add(1)-1)%slots]
		if usable(t, tried, r) && p.admits(t) && t.acquire(r) {
			return t
		}
	}
	return p.lottery(tried, r)
}

// admits lets slow start pass a target over. Free when no target has it.
func (p *Pool) admits(t *Target) bool { return !p.slowStart || t.lucky() }
