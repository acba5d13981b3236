package daemon

import (
	"errors"
	"fmt"
	"os"
	"time"

	"upfront/api"
	"upfront/config"
)

// startFile is the config file as it is found at the start.
type startFile struct {
	path string
	text []byte       // of the file; nil when there is none
	file *config.File // what counts; nil when there is no file
	used []byte       // the text that file was read from
	// broken is why the file itself cannot be used. Then file is the copy of the
	// last good one.
	broken error
}

// readStartFile reads the config file. A missing one is fine unless it was named.
// A bad one is replaced by the copy of the last good one, if there is one.
func readStartFile(o options) (startFile, error) {
	s := startFile{path: firstOf(o.config, config.DefaultPath)}
	text, err := config.ReadFile(s.path)
	if errors.Is(err, os.ErrNotExist) && o.config == "" {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("%w: choose another file with --config", err)
	}
	s.text, s.used = text, text
	s.file, err = config.Parse(s.path, text)
	if err != nil {
		return s.fallBack(o, err)
	}
	if !s.file.NamesServices {
		if last, err := s.fallBack(o, namesNone(s.path, text)); err == nil && len(last.file.Services) > 0 {
			return last, nil
		}
	}
	return s, nil
}

// namesNone refuses a file that says nothing of services although some are live:
// an editor or a copy that was cut short leaves such a file.
func namesNone(path string, text []byte) error {
	return config.Errors{config.Mistake(path, text, 1, 1,
		"names no services, and an earlier version did: write services: {} to remove them")}
}

// fallBack uses the last good copy, because of err.
func (s startFile) fallBack(o options, broken error) (startFile, error) {
	// Where the state is may itself be said by the broken file; then the copy is
	// looked for in the usual place.
	path := lastGoodPath(resolve(o, s.file).state)
	text, err := os.ReadFile(path)
	if err != nil {
		return s, report(broken)
	}
	file, err := config.Parse(path, text)
	if err != nil {
		return s, report(broken)
	}
	s.file, s.used, s.broken = file, text, broken
	return s, nil
}

// begin applies the file at the start. When the registry refuses it, the last
// good copy is tried. Error pages that cannot be read are no reason to refuse it.
func (r *reloader) begin(start startFile) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if start.file == nil {
		return r.registry.Apply(nil) // what a file declared before is gone with it
	}
	r.judged = start.text
	next, err := r.adopt(start.used, r.check)
	if err != nil && start.broken == nil {
		if start, err = start.fallBack(r.options, err); err == nil {
			next, err = r.adopt(start.used, r.check)
		}
	}
	if err != nil {
		return report(err)
	}
	if start.broken == nil {
		r.loads.Add(1)
		status := &api.ConfigStatus{Path: r.path, LoadedAt: time.Now()}
		note(status, next.problem)
		r.status.Store(status)
		r.keep(start.text)
		return nil
	}
	r.fails.Add(1)
	status := &api.ConfigStatus{
		Path: r.path, LoadedAt: time.Now(),
		Problem: fmt.Sprintf("the last good copy %s is live, because %s", r.lastGood, start.broken),
	}
	note(status, next.problem)
	r.status.Store(status)
	r.complain("Config file refused, last good copy used", start.broken)
	return nil
}
