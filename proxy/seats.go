package proxy

import (
	"cmp"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// seats is who is connected, and who waits to be. Its maps belong to Server.mu.
type seats struct {
	clients   map[*client]struct{} // guarded by Server.mu
	byAddress map[netip.Addr]int   // guarded by Server.mu; of clients, see addressKey
	extra     int                  // guarded by Server.mu; of clients, those that are turned away

	waiting atomic.Int32  // Serve calls and dials that wait for a client to go
	gone    chan struct{} // capacity 1; a client went while somebody waited
	warned  seldom
}

func newSeats() seats {
	return seats{
		clients:   make(map[*client]struct{}),
		byAddress: make(map[netip.Addr]int),
		gone:      make(chan struct{}, 1),
	}
}

const (
	// hot is how long a connection that idles is left alone: its next request may
	// be on its way.
	hot = 250 * time.Millisecond
	// maxTurnedAway bounds the connections that are told that their address has
	// too many; more are closed without a word.
	maxTurnedAway = 64
)

// seat makes c a client, and waits until it can be one. Meanwhile c is not read,
// and what comes behind it waits in the kernel's queue.
func (s *Server) seat(c *client) {
	if s.admit(c) {
		return
	}
	s.seats.waiting.Add(1)
	defer s.seats.waiting.Add(-1)
	s.counters.SeatWaits.Add(1)
	look := time.NewTicker(hot)
	defer look.Stop()
	for !s.admit(c) {
		if n := s.surplus(); n > 0 {
			s.warnCrowded()
			s.closeIdle(n)
		}
		select {
		case <-s.seats.gone:
		case <-look.C: // some idle for long enough by now
		case <-s.quit: // what the kernel has accepted is still answered
		}
	}
	s.seats.tell() // there may be room for another one
}

// admit counts c among the clients, unless there are as many as there may be or
// memory has no room for one.
func (s *Server) admit(c *client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.room.clients.Add(1)
	most := s.seatsNow()
	full := most > 0 && n > int64(most)
	if !s.closing.Load() && (full || !s.pressure.takeCredit()) {
		s.room.clients.Add(-1)
		return false
	}
	s.seats.clients[c] = struct{}{}
	if !c.listener.proxied(c.addr.Addr()) { // else who it is will be known later
		s.count(c)
	}
	return true
}

// countAddress counts a client for its address once that is known.
func (s *Server) countAddress(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(c)
}

// count is countAddress with mu held.
func (s *Server) count(c *client) {
	key := addressKey(c.addr.Addr())
	if !key.IsValid() {
		return
	}
	settings := s.settings.Load()
	c.key = key
	s.seats.byAddress[key]++
	c.extra = settings.MaxPerAddress > 0 && s.seats.byAddress[key] > settings.MaxPerAddress && !settings.trusts(c.addr.Addr())
	if c.extra {
		s.seats.extra++
	}
}

// unseat forgets c.
func (s *Server) unseat(c *client) {
	s.mu.Lock()
	delete(s.seats.clients, c)
	s.room.clients.Add(-1)
	if s.seats.byAddress[c.key]--; s.seats.byAddress[c.key] <= 0 {
		delete(s.seats.byAddress, c.key)
	}
	if c.extra {
		s.seats.extra--
	}
	s.mu.Unlock()
	if s.seats.waiting.Load() > 0 {
		s.seats.tell()
	}
}

func (e *seats) tell() {
	select {
	case e.gone <- struct{}{}:
	default:
	}
}

// crowded reports whether somebody waits for a client to go: then no connection
// is kept behind its answer.
func (e *seats) crowded() bool { return e.waiting.Load() > 0 }

// seatsNow is how many clients there may be now, 0 is any number: each may need a
// connection to a target, of which there is room for fewer while there are files.
func (s *Server) seatsNow() int {
	most := s.settings.Load().MaxConnections
	if limit := s.room.limit.Load(); limit > 0 {
		most = min(most, max(int(limit-s.spools.files.Load()), 1))
	}
	return most
}

// surplus is how many connections there are too many for one more, or rather
// some more, so that the search for those that idle costs little a connection.
func (s *Server) surplus() int {
	limit := s.seatsNow()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.seats.clients) - limit + 1
	if n <= 0 || limit == 0 {
		return 0
	}
	return max(n, limit/64)
}

// closeIdle ends up to n of the connections that have no request, those that
// idle longest first, and returns how many (RFC 9112 §9.5). Those that were ended
// before and have not gone yet are among the n. One that idles since a moment ago
// stays.
func (s *Server) closeIdle(n int) int {
	type idler struct {
		c     *client
		since int64
	}
	var list []idler
	until := time.Now().Add(-hot).UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.seats.clients {
		switch since := c.idleSince.Load(); {
		case since == dismissed:
			n--
		case since > 0 && since <= until:
			list = append(list, idler{c, since})
		}
	}
	slices.SortFunc(list, func(a, b idler) int { return cmp.Compare(a.since, b.since) })
	closed := 0
	for _, i := range list[:max(min(n, len(list)), 0)] {
		if i.c.dismiss(i.since) {
			closed++
		}
	}
	s.counters.IdleClosed.Add(uint64(closed))
	return closed
}

// warnCrowded says once a minute that connections wait.
func (s *Server) warnCrowded() {
	if s.seats.warned.due(time.Minute) {
		s.log.Warn("Connections wait, there are as many as there may be",
			zap.Int("limit", s.settings.Load().MaxConnections))
	}
}

// addressKey is what counts as one address: an IPv6 client has a whole /64.
func addressKey(addr netip.Addr) netip.Addr {
	if !addr.Is6() || addr.Is4In6() {
		return addr.Unmap()
	}
	prefix, err := addr.WithZone("").Prefix(64)
	if err != nil {
		panic("BUG: an IPv6 address without a /64: " + err.Error())
	}
	return prefix.Addr()
}
