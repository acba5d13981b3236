package balancer

import "math/rand/v2"

// maxDraws is how many pairs are drawn before every target is looked at: with
// half of a pool dead, 4 pairs miss a live target in 1 of 256 requests.
const maxDraws = 4

// twoChoices acquires the less loaded of two random targets. They are drawn from
// the schedule, where a target has as many slots as its weight asks for.
func (p *Pool) twoChoices(tried []*Target, r regard) *Target {
	slots := uint64(len(p.schedule))
	if slots == 0 {
		return nil
	}
	for range maxDraws {
		random := rand.Uint64()
		i := random >> 32 * slots >> 32
		// A different slot: one to slots-1 further on.
		j := (i + 1 + random&(1<<32-1)*(slots-1)>>32) % slots
		t := p.lighter(p.schedule[i], p.schedule[j], tried, r)
		if t != nil && t.acquire(r) {
			return t
		}
	}
	return p.lottery(tried, r)
}

// lighter is the usable one of a and b, or of two usable ones the less loaded;
// equals are left to the luck that drew a first.
func (p *Pool) lighter(a, b *Target, tried []*Target, r regard) *Target {
	aUsable := usable(a, tried, r) && p.admits(a)
	bUsable := b != a && usable(b, tried, r) && p.admits(b)
	switch {
	case aUsable && bUsable && b.load().less(a.load()):
		return b
	case aUsable:
		return a
	case bUsable:
		return b
	}
	return nil
}
