package service

import (
	"slices"

	"upfront/api"
	"upfront/balancer"
)

// slot is targets that are replaced as one. Its lists are never changed.
type slot struct {
	members []*member // that take every request
	readers []*member // that take requests which read
}

// all is the targets of the slot, readers last.
func (s slot) all() []*member { return slices.Concat(s.members, s.readers) }

// split makes a slot of members, the last of which are readers.
func split(members []*member, readers int) slot {
	n := len(members) - readers
	return slot{members: members[:n:n], readers: members[n:]}
}

// without returns the slot without m.
func (s slot) without(m *member) slot {
	return slot{members: without(s.members, []*member{m}), readers: without(s.readers, []*member{m})}
}

// spare makes the pool of targets for which those of Service.Pool stand in; nil
// when there are none. It is never failed open: a doubtful target is no better than
// those that stand in.
func spare(members []*member, spec api.Spec) *balancer.Pool {
	if len(members) == 0 {
		return nil
	}
	return balancer.NewPool(targetsOf(members), balancer.PoolOptions{Policy: string(spec.Policy)})
}

func targetsOf(members []*member) []*balancer.Target {
	targets := make([]*balancer.Target, len(members))
	for i, m := range members {
		targets[i] = m.target
	}
	return targets
}

// specsOf returns the addresses and weights of members.
func specsOf(members []*member) []api.Target {
	all := make([]api.Target, len(members))
	for i, m := range members {
		all[i] = m.spec
	}
	return all
}

func find(members []*member, address string) *member {
	i := slices.IndexFunc(members, func(m *member) bool { return m.spec.Address == address })
	if i < 0 {
		return nil
	}
	return members[i]
}

// whole is the targets of a call that replaces a slot, readers last.
func whole(targets, readers []api.Target) []api.Target { return slices.Concat(targets, readers) }
