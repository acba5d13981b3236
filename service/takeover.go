package service

import (
	"errors"
	"io/fs"

	"upfront/api"
)

// TakeoverState returns the services that another proxy leaves, and says for each
// that cannot be what it was why. The error is fs.ErrNotExist when it leaves nothing.
type TakeoverState func() (services []api.ServiceState, lost []error, err error)

const sourceTakeover = "kamal-proxy"

// mirror tells Options.Mirror what the state file says.
func (r *Registry) mirror(w *world) {
	if r.options.Mirror == nil {
		return
	}
	all := make([]api.ServiceState, 0, len(w.names))
	for _, name := range w.names {
		all = append(all, w.entries[name].state())
	}
	r.options.Mirror(all)
}

// partial is the source of a state of which something is lost.
func (s *store) partial() string {
	if s.status().Source == sourceTakeover {
		return sourceTakeover
	}
	return sourcePartial
}

// takeOver returns what from leaves. It is saved at once: from then on the state
// file is what counts.
func (s *store) takeOver(from TakeoverState) contents {
	if from == nil {
		return contents{}
	}
	services, lost, err := from()
	if errors.Is(err, fs.ErrNotExist) {
		return contents{}
	}
	if err != nil {
		lost = append(lost, err)
	}
	s.note(sourceTakeover, lost...)
	found := contents{unsaved: len(services) > 0}
	for _, state := range services {
		found.records = append(found.records, record{ServiceState: state})
	}
	return found
}
