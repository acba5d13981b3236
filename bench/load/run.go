package load

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"
)

// Run sends requests for d, waits for the last answers, and returns what it saw. It may
// be called again, on the same connections. With d 0, a closed loop sends one request
// on each connection.
func (l *Load) Run(d time.Duration) (Result, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l.result, l.err, l.inWork, l.free = Result{}, nil, 0, queue[*conn]{}
	start := l.now()
	l.until = start + d
	l.pace = nil
	if l.job.Rate > 0 {
		l.runOpen(start)
	} else {
		l.runClosed(start)
	}
	l.result.Elapsed = l.now() - start
	return l.result, l.err
}

// runClosed lets every connection send once, and again until the time is over: after
// an answer at once, after a failure with the next turn.
func (l *Load) runClosed(start time.Duration) {
	for _, c := range l.conns {
		l.send(c, start)
	}
	for l.err == nil && l.now() < l.until {
		l.turn(time.Millisecond)
		for range l.free.size() {
			c, _ := l.free.pop()
			l.send(c, l.now())
		}
	}
	l.settle()
}

func (l *Load) runOpen(start time.Duration) {
	l.pace = newPace(start, l.job.Rate)
	for _, c := range l.conns {
		l.free.push(c)
	}
	for l.err == nil && l.pace.next < l.until {
		l.turn(max(l.pace.next-l.now(), 0))
		l.pace.advance(min(l.now(), l.until))
		l.serveDue()
	}
	l.settle()
}

// serveDue sends what is due, as long as connections are free.
func (l *Load) serveDue() {
	for l.pace != nil && l.free.size() > 0 && l.pace.due.size() > 0 {
		due, _ := l.pace.due.pop()
		c, _ := l.free.pop()
		l.send(c, due)
	}
}

// settle waits until all that was due is answered.
func (l *Load) settle() {
	for l.err == nil {
		l.serveDue()
		if l.inWork == 0 {
			return
		}
		if l.now() > l.until+Grace {
			l.giveUp()
			return
		}
		l.turn(100 * time.Millisecond)
	}
}

// giveUp counts what is still without an answer as failed.
func (l *Load) giveUp() {
	l.result.Failed += l.pace.waiting()
	err := fmt.Errorf("%d requests without an answer %v after the last was due", l.inWork, Grace)
	for _, c := range l.conns {
		if c.state != idle {
			l.fail(c, err)
		}
	}
}

// pace is when requests are due: at random times with a mean rate, as the clients of
// a site that know nothing of each other; the same times in every run, for all
// proxies.
type pace struct {
	next   time.Duration
	mean   float64 // ns from one to the next
	random *rand.Rand
	due    queue[time.Duration] // and not sent
}

func newPace(start time.Duration, rate float64) *pace {
	p := &pace{next: start, mean: float64(time.Second) / rate, random: rand.New(rand.NewPCG(1, 2))}
	p.step()
	return p
}

func (p *pace) step() { p.next += time.Duration(p.random.ExpFloat64() * p.mean) }

// advance makes due what has to be sent by now.
func (p *pace) advance(now time.Duration) {
	for ; p.next <= now; p.step() {
		p.due.push(p.next)
	}
}

// waiting is how many are due and not sent; none in a closed loop.
func (p *pace) waiting() int {
	if p == nil {
		return 0
	}
	return p.due.size()
}

// queue gives back first what was pushed first.
type queue[T any] struct {
	items []T
	head  int
}

func (q *queue[T]) push(v T) {
	if q.head > 1024 && q.head > len(q.items)/2 {
		q.items = append(q.items[:0], q.items[q.head:]...)
		q.head = 0
	}
	q.items = append(q.items, v)
}

func (q *queue[T]) pop() (v T, ok bool) {
	if q.head == len(q.items) {
		return v, false
	}
	v = q.items[q.head]
	q.head++
	return v, true
}

func (q *queue[T]) size() int { return len(q.items) - q.head }
