package service

import (
	"strings"
	"time"

	"upfront/api"
)

// Services returns every service, sorted by name.
func (r *Registry) Services() []api.ServiceInfo {
	w := r.world.Load()
	all := make([]api.ServiceInfo, len(w.names))
	for i, name := range w.names {
		all[i] = w.entries[name].info()
	}
	return all
}

// Service returns one service; ok is false when there is none of that name.
func (r *Registry) Service(name string) (info api.ServiceInfo, ok bool) {
	e := r.world.Load().entries[name]
	if e == nil {
		return api.ServiceInfo{}, false
	}
	return e.info(), true
}

func (e *entry) info() api.ServiceInfo {
	live := e.live
	info := api.ServiceInfo{
		Name:    live.Name,
		Spec:    live.spec.WithDefaults(), // a copy: the caller may keep it
		Gate:    live.Gate.State().String(),
		Message: live.Gate.Message(),
		Targets: infosOf(live.members),
		Readers: infosOf(live.readers),
		Owner:   "socket",
		Problem: e.problem,
	}
	if r := live.Rollout; r != nil {
		info.Rollout = &api.RolloutInfo{Targets: infosOf(r.members), Readers: infosOf(r.readers), Split: r.takes}
	}
	if e.previous != nil {
		info.Previous = append(info.Previous, e.previous.Targets...)
	}
	if e.fixed() {
		info.Owner = "file"
	}
	if info.Problem == "" && e.pending != nil {
		info.Problem = e.pending.missing()
	}
	var found string
	info.Certificates, found = live.certificates(time.Now())
	for _, problem := range []string{live.files.pages.problem, found} {
		if problem != "" {
			info.Problem = strings.TrimPrefix(info.Problem+"; "+problem, "; ")
		}
	}
	return info
}

func infosOf(members []*member) []api.TargetInfo {
	all := make([]api.TargetInfo, len(members))
	for i, m := range members {
		all[i] = m.info()
	}
	return all
}

func (m *member) info() api.TargetInfo {
	info := api.TargetInfo{
		Address:  m.spec.Address,
		Weight:   m.spec.Weight,
		Health:   m.target.Health().String(),
		Draining: m.target.Draining(),
		Full:     m.target.Full(),
		InFlight: m.target.InFlight(),
		Since:    m.monitor.Since(),
	}
	if last, ok := m.monitor.Last(); ok {
		info.LastProbe, info.LastProbeAt, info.Checks = last.String(), last.At, last.Checks
	}
	return info
}
