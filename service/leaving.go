package service

import (
	"slices"
	"sync"
	"time"

	"upfront/api"
)

// leaving is the targets that left their service and are not empty yet. Pause
// and stop wait for them too: a request of the version before the last deploy is
// as much in flight as one of the last.
type leaving struct {
	mu      sync.Mutex
	members map[string][]*member // guarded by mu; by service
}

func (l *leaving) add(members []*member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.members == nil {
		l.members = make(map[string][]*member)
	}
	for _, m := range members {
		l.members[m.service] = append(l.members[m.service], m)
	}
}

func (l *leaving) remove(m *member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := slices.DeleteFunc(l.members[m.service], func(o *member) bool { return o == m })
	if len(rest) == 0 {
		delete(l.members, m.service)
		return
	}
	l.members[m.service] = rest
}

func (l *leaving) of(service string) []*member {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.members[service])
}

// leave notes that members have left with the publication of d. The caller
// retires them.
func (r *Registry) leave(d *draft, members []*member) {
	d.after(func() { r.leaving.add(members) })
}

// retire stops the probes of members that left their service, empties them
// within timeout and closes their connections.
func (r *Registry) retire(members []*member, timeout time.Duration, report reporter) []api.Drained {
	for _, m := range members {
		m.cancel()
	}
	return together(members, report, func(m *member) api.Drained {
		drained := m.drain(timeout)
		r.leaving.remove(m)
		m.discard()
		return drained
	})
}
