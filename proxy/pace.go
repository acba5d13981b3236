package proxy

import "time"

// pace judges how fast a client sends a body: on average since its beginning, and
// not before the grace is over. Only the time that was spent waiting for the
// client counts.
type pace struct {
	rate   int           // bytes a second that it has to come at; 0 or less is any
	grace  time.Duration // that it has on top
	waited time.Duration
	got    int64
}

// came notes what a wait has brought.
func (p *pace) came(n int, waited time.Duration) {
	p.got += int64(n)
	p.waited += waited
}

// left is how much longer the client may be waited for; negative is for ever.
func (p *pace) left() time.Duration {
	if p.rate <= 0 {
		return -1
	}
	// In two steps, for bodies of which the nanoseconds would not fit.
	whole, rest := p.got/int64(p.rate), p.got%int64(p.rate)
	if whole > int64(longest/time.Second) {
		return longest
	}
	earned := time.Duration(whole)*time.Second + time.Duration(rest)*time.Second/time.Duration(p.rate)
	return max(p.grace+earned-p.waited, 0)
}

// longest wait that makes a difference.
const longest = 1000 * time.Hour

// tooSlow reports whether the client has used up its time.
func (p *pace) tooSlow() bool { return p.left() == 0 }
