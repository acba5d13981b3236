package service

import (
	"fmt"
	"maps"
	"slices"

	"upfront/api"
	"upfront/route"
)

// world is everything that is deployed at one moment. Immutable once published;
// requests and lists read it without a lock.
type world struct {
	table   *route.Table[*Service]
	entries map[string]*entry
	names   []string // of entries, sorted
	owners  map[route.Route]string
}

// entry is what the registry knows of one service. Immutable once published: a
// change clones it.
type entry struct {
	live     *Service
	previous *api.PreviousState
	gate     api.GateState
	// declared is what the config file says; nil when it says nothing.
	declared *Declared
	// restored marks an entry that the config file of an earlier run declared,
	// until Apply has said whether it still does.
	restored bool
	// pending is the set of targets that Apply waits for; nil when there is none.
	pending *pending
	problem string
	record  []byte // the entry as a line of the state file
}

func (e *entry) clone() *entry {
	c := *e
	return &c
}

// fixed reports whether the config file names the targets.
func (e *entry) fixed() bool { return e.declared != nil && e.declared.Targets != nil }

// leaves reports whether the service goes when the file no longer names it. One
// whose targets came over the socket stays, now wholly the socket's: what a deploy
// brought in, a slip in an editor must not throw out.
func (e *entry) leaves() bool {
	return e.restored || e.fixed() || e.declared != nil && len(e.live.members) == 0
}

// draft is a world being changed; one call at a time holds one, under the lock.
type draft struct {
	entries map[string]*entry
	renamed bool // names have to be sorted again
	changed bool // the state file has to be written
	sealed  bool // certificates have to be published
	names   []string
	owners  map[route.Route]string // names by route
	then    []func()               // run under the lock once the draft is published
	instead []func()               // run under the lock when it is not
}

func (w *world) draft() *draft {
	return &draft{entries: maps.Clone(w.entries), names: w.names, owners: maps.Clone(w.owners)}
}

// asWorld is the draft as it stands, for those that judge.
func (d *draft) asWorld() *world { return &world{entries: d.entries, names: d.names, owners: d.owners} }

// put sets the entry of e.live's name.
func (d *draft) put(e *entry) error {
	record, err := encodeRecord(e)
	if err != nil {
		return err
	}
	name := e.live.Name
	old, known := d.entries[name]
	d.renamed = d.renamed || !known
	d.changed = d.changed || !known || string(old.record) != string(record)
	e.record = record
	d.sealed = d.sealed || e.live.TLS != nil || known && old.live.TLS != nil
	if known {
		d.release(old)
	}
	d.entries[name] = e
	for _, at := range e.live.routes {
		d.owners[at] = name
	}
	return nil
}

// release gives the routes of e free, but for those that another service has
// taken over in this draft.
func (d *draft) release(e *entry) {
	for _, at := range e.live.routes {
		if d.owners[at] == e.live.Name {
			delete(d.owners, at)
		}
	}
}

func (d *draft) remove(name string) {
	if e := d.entries[name]; e != nil {
		d.sealed = d.sealed || e.live.TLS != nil
		d.release(e)
	}
	delete(d.entries, name)
	d.renamed, d.changed = true, true
}

// after has f called once the draft is published, still under the lock: for
// what must follow in the order of the publications.
func (d *draft) after(f func()) { d.then = append(d.then, f) }

// otherwise has f called when the draft is not published.
func (d *draft) otherwise(f func()) { d.instead = append(d.instead, f) }

// finish returns the world that d describes.
func (d *draft) finish() (*world, error) {
	w := &world{entries: d.entries, names: d.names, owners: d.owners}
	if d.renamed {
		w.names = slices.Sorted(maps.Keys(d.entries))
	}
	rows := make([]route.Entry[*Service], 0, len(w.names))
	for _, name := range w.names {
		live := d.entries[name].live
		for _, at := range live.routes {
			rows = append(rows, route.Entry[*Service]{Route: at, Value: live})
		}
	}
	table, err := route.NewTable(rows)
	if err != nil {
		return nil, fmt.Errorf("build route table: %w", err)
	}
	w.table = table
	return w, nil
}
