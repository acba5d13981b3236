package proxy

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// reserve is the descriptors that connections of clients and to targets leave
// alone: the listeners, the control socket, probes, the log, the state file, pipes.
const reserve = 32

// share divides the descriptors that the process may have. What is beyond the
// reserve is halved, for each client may need a connection to a target; one more
// is for the connection that waits for a seat.
func (s *Server) share(next *Settings) {
	all := descriptorLimit()
	if all == 0 {
		next.MaxConnections = max(next.MaxConnections, 0)
		s.room.limit.Store(0)
		return
	}
	free := max(int(min(all, math.MaxInt32))-reserve, 3)
	seats := (free - 1) / 2
	if next.MaxConnections > seats {
		s.log.Warn("Fewer connections than limits.connections, for want of descriptors",
			zap.Int("connections", next.MaxConnections), zap.Int("limit", seats), zap.Uint64("descriptors", all))
	}
	if next.MaxConnections <= 0 || next.MaxConnections > seats {
		next.MaxConnections = seats
	}
	s.room.limit.Store(int64(free - 1 - next.MaxConnections))
}

// room is how many connections to targets and temporary files there may be, of all
// transports together. Each client may need a connection: files are not made, and
// clients not seated, where they would be more than there is room for. So there is
// always a connection that is kept and can make room for the next.
type room struct {
	limit   atomic.Int64 // 0: none
	taken   atomic.Int64 // connections that are open or being dialled, and files
	clients atomic.Int64 // that have a seat

	shed func() bool // immutable; closes a connection that is kept for a probe; may be nil

	mu         sync.Mutex
	transports map[*transport]struct{} // guarded by mu; that have dialled and are not closed
}

func newRoom(shed func() bool) room {
	return room{shed: shed, transports: make(map[*transport]struct{})}
}

func (r *room) enter(t *transport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.transports[t] = struct{}{}
}

func (r *room) leave(t *transport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.transports, t)
}

// take counts a connection that is about to be dialled, or a file.
func (r *room) take() {
	limit := r.limit.Load()
	if r.taken.Add(1) > limit && limit > 0 {
		r.closeIdle()
	}
}

// takeSpare counts a connection for which there has to be room already.
func (r *room) takeSpare() bool {
	limit := r.limit.Load()
	if r.taken.Add(1) > limit && limit > 0 {
		r.giveBack()
		return false
	}
	return true
}

func (r *room) giveBack() { r.taken.Add(-1) }

// holds reports whether there is room for so many files and a connection for each
// client.
func (r *room) holds(files int64) bool {
	limit := r.limit.Load()
	return limit <= 0 || files+r.clients.Load() <= limit
}

// lookedAt is among how many transports the connection that idles longest is
// looked for.
const lookedAt = 64

// closeIdle closes a connection that is kept for the next probe, or else for the next
// exchange, and reports whether there was one.
func (r *room) closeIdle() bool {
	if r.shed != nil && r.shed() {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var longest *transport
	var since time.Time
	seen := 0
	for t := range r.transports {
		idle, ok := t.idleSince()
		if !ok {
			continue
		}
		if longest == nil || idle.Before(since) {
			longest, since = t, idle
		}
		if seen++; seen == lookedAt {
			break
		}
	}
	return longest != nil && longest.closeOldest()
}

// TakeSpare takes a descriptor for a connection to a target that Options.ShedProbe
// closes when somebody else needs it, and reports whether there was one.
func (s *Server) TakeSpare() bool { return s.room.takeSpare() }

// GiveSpare gives it back.
func (s *Server) GiveSpare() { s.room.giveBack() }

// makeRoom closes what idles, a connection to a target or else one of a client,
// and reports whether there was something.
func (s *Server) makeRoom() bool { return s.room.closeIdle() || s.closeIdle(1) > 0 }

// makeRoomNow is makeRoom that waits for a moment until a client has gone.
func (s *Server) makeRoomNow() bool {
	if s.room.closeIdle() {
		return true
	}
	s.seats.waiting.Add(1)
	defer s.seats.waiting.Add(-1)
	closed := s.closeIdle(1) > 0
	if closed {
		timer := time.NewTimer(100 * time.Millisecond)
		defer timer.Stop()
		select {
		case <-s.seats.gone:
			s.seats.tell() // it may have been meant for a seat
		case <-timer.C:
		}
	}
	return closed
}
