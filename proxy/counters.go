package proxy

import "sync/atomic"

// Counters count what the server did since it was made. All are atomic.
type Counters struct {
	Connections    atomic.Uint64 // accepted
	AcceptErrors   atomic.Uint64
	SeatWaits      atomic.Uint64    // connections that waited for another one to go
	IdleClosed     atomic.Uint64    // connections of clients closed to make room
	TurnedAway     atomic.Uint64    // connections that were too many of their address
	Requests       [6]atomic.Uint64 // answered, by the status' first digit; 0 is none
	BadRequests    atomic.Uint64    // refused before they were a request
	SlowBodies     atomic.Uint64    // given up for being slower than the body rate
	ClientsLeft    atomic.Uint64    // before they were answered
	Aborted        atomic.Uint64    // responses that broke off
	Retries        atomic.Uint64
	RetriesRefused atomic.Uint64 // that the budget did not allow
	Dials          atomic.Uint64 // connections to targets tried
	DialErrors     atomic.Uint64
	Shed           atomic.Uint64 // requests refused for want of memory
	Panics         atomic.Uint64

	Handshakes        atomic.Uint64 // TLS, completed; the resumed ones as well
	Resumptions       atomic.Uint64
	HandshakeErrors   atomic.Uint64
	ProxyHeaderErrors atomic.Uint64 // connections of balancers that began otherwise
	Redirects         atomic.Uint64 // to https or to the canonical host
	Misdirected       atomic.Uint64 // requests answered 421

	Upgrades    atomic.Uint64 // tunnels opened
	Cut         atomic.Uint64 // tunnels ended at a drain timeout
	HTTP2       atomic.Uint64 // connections that carried streams
	HTTP2Calmed atomic.Uint64 // of these, ended because their client asked too much
}

var statusClasses = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// Counters returns what was counted since New, by name; names that end in
// _total only grow.
func (s *Server) Counters() map[string]uint64 {
	c := &s.counters
	s.mu.Lock()
	clients, tunnels := len(s.seats.clients), len(s.tunnels)
	s.mu.Unlock()
	all := map[string]uint64{
		"upfront_connections":                   uint64(clients),
		"upfront_connections_total":             c.Connections.Load(),
		"upfront_connections_limit":             uint64(s.settings.Load().MaxConnections),
		"upfront_connections_waited_total":      c.SeatWaits.Load(),
		"upfront_connections_idle_closed_total": c.IdleClosed.Load(),
		"upfront_connections_refused_total":     c.TurnedAway.Load(),
		"upfront_target_connections":            uint64(max(s.room.taken.Load()-s.spools.files.Load(), 0)),
		"upfront_accept_errors_total":           c.AcceptErrors.Load(),
		"upfront_bad_requests_total":            c.BadRequests.Load(),
		"upfront_slow_bodies_total":             c.SlowBodies.Load(),
		"upfront_clients_left_total":            c.ClientsLeft.Load(),
		"upfront_responses_aborted_total":       c.Aborted.Load(),
		"upfront_retries_refused_total":         c.RetriesRefused.Load(),
		"upfront_retries_total":                 c.Retries.Load(),
		"upfront_target_dials_total":            c.Dials.Load(),
		"upfront_target_dial_errors_total":      c.DialErrors.Load(),
		"upfront_requests_shed_total":           c.Shed.Load(),
		"upfront_memory_pressure":               uint64(s.pressure.now()),
		"upfront_panics_total":                  c.Panics.Load(),
		"upfront_tunnels":                       uint64(tunnels),
		"upfront_tunnels_total":                 c.Upgrades.Load(),
		"upfront_tunnels_cut_total":             c.Cut.Load(),
		"upfront_spool_files":                   uint64(max(s.spools.files.Load(), 0)),
		"upfront_spool_errors_total":            s.spools.errors.Load(),
		"upfront_http2_connections_total":       c.HTTP2.Load(),
		"upfront_http2_calmed_total":            c.HTTP2Calmed.Load(),
		"upfront_access_log_dropped_total":      0,
		"upfront_tls_handshakes_total":          c.Handshakes.Load(),
		"upfront_tls_resumptions_total":         c.Resumptions.Load(),
		"upfront_tls_handshake_errors_total":    c.HandshakeErrors.Load(),
		"upfront_proxy_header_errors_total":     c.ProxyHeaderErrors.Load(),
		"upfront_redirects_total":               c.Redirects.Load(),
		"upfront_misdirected_requests_total":    c.Misdirected.Load(),
	}
	if s.accessLog != nil {
		all["upfront_access_log_dropped_total"] = s.accessLog.Dropped()
	}
	for i := range c.Requests {
		all["upfront_requests_"+statusClasses[i]+"_total"] = c.Requests[i].Load()
	}
	return all
}
