package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/config"
	"upfront/internal/atomicfile"
	"upfront/internal/logfield"
	"upfront/service"
)

// lastGoodName is the copy of the last config file that was applied, beside the
// state file. A start with a broken file uses it rather than serve nothing.
const lastGoodName = "config.last-good.yml"

// reloader makes versions of the config file live, one after the other. What
// arrives through the watcher, a signal or the control socket goes through it.
type reloader struct {
	path     string // of the config file
	lastGood string // path of the copy
	options  options
	registry *service.Registry
	apply    func(settings) // makes live what the registry does not own
	log      *zap.Logger
	started  settings // set once, before others see the reloader

	mu     sync.Mutex
	judged []byte // guarded by mu; the text of the last load, good or bad
	live   int    // guarded by mu; how many services the file that is live declares

	status       atomic.Pointer[api.ConfigStatus] // nil while there is no file
	loads, fails atomic.Uint64
}

// reload reads the file and applies it, also when it did not change.
func (r *reloader) reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, err := config.ReadFile(r.path)
	if errors.Is(err, os.ErrNotExist) && r.status.Load() == nil {
		return &api.Error{
			Code:    api.CodeNoConfig,
			Message: fmt.Sprintf("proxyd runs without a config file: write %s, or start it with --config FILE", r.path),
			Flag:    "--config",
		}
	}
	if err != nil {
		r.refuse(err)
		return err
	}
	return r.load(text)
}

// changed applies what the watcher saw, unless it has been judged already.
func (r *reloader) changed(text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.judged != nil && bytes.Equal(r.judged, text) {
		return
	}
	_ = r.load(text) // logged, and kept for status
}

// vanished notes that the file cannot be read; what it said stays live.
func (r *reloader) vanished(err error) {
	r.log.Warn("Config file not watched or not readable", logfield.Path(r.path), logfield.Error(err))
	if status := r.status.Load(); status != nil && errors.Is(err, os.ErrNotExist) {
		problem := *status
		problem.Problem = err.Error()
		r.status.Store(&problem)
	}
}

// load makes text live, or nothing of it. The caller holds mu.
func (r *reloader) load(text []byte) error {
	r.judged = bytes.Clone(text)
	next, err := r.adopt(text, r.checkAll)
	if err != nil {
		r.refuse(err)
		return report(err)
	}
	r.loads.Add(1)
	status := &api.ConfigStatus{Path: r.path, LoadedAt: time.Now()}
	if keys := r.started.needRestart(next); len(keys) > 0 {
		status.Problem = fmt.Sprintf("restart proxyd to apply the change of %s; everything else is live", strings.Join(keys, ", "))
		r.log.Warn("Settings need a restart", zap.Strings("keys", keys))
	}
	note(status, next.problem)
	r.status.Store(status)
	r.keep(text)
	r.log.Info("Config file applied", logfield.Path(r.path), zap.Int("services", len(next.services)))
	return nil
}

// note adds err, which may be nil, to what status says is wrong.
func note(status *api.ConfigStatus, err error) {
	switch {
	case err == nil:
	case status.Problem == "":
		status.Problem = err.Error()
	default:
		status.Problem += "; " + err.Error()
	}
}

// adopt parses, checks and applies text.
func (r *reloader) adopt(text []byte, check func(*config.File, []service.Declared, []byte) error) (settings, error) {
	file, err := config.Parse(r.path, text)
	if err != nil {
		return settings{}, err
	}
	if !file.NamesServices && r.live > 0 {
		return settings{}, namesNone(r.path, text)
	}
	next := resolve(r.options, file)
	if err := check(file, next.services, text); err != nil {
		return settings{}, err
	}
	next.proxy.ErrorPages, next.problem = r.readPages(file, text)
	next.certificates = r.openCertificates(file)
	if err := r.registry.Apply(next.services); err != nil {
		return settings{}, fmt.Errorf("apply %s: %w", r.path, err)
	}
	r.live = len(next.services)
	r.apply(next)
	return next, nil
}

// check asks the registry and places its answer in the file.
func (r *reloader) check(file *config.File, services []service.Declared, text []byte) error {
	err := r.registry.Check(services)
	if err == nil {
		return nil
	}
	var problems config.Errors
	for i, s := range file.Services {
		if err := r.registry.Check(services[i : i+1]); err != nil {
			problems = append(problems, config.Mistake(r.path, text, s.Line, s.Column, oneLine(err)))
		}
	}
	if len(problems) == 0 { // wrong only together
		problems = config.Errors{{Path: r.path, Message: oneLine(err)}}
	}
	return problems
}

// refuse keeps everything as it is and says why.
func (r *reloader) refuse(err error) {
	r.fails.Add(1)
	status := api.ConfigStatus{Path: r.path}
	if before := r.status.Load(); before != nil {
		status.LoadedAt = before.LoadedAt
	}
	status.Problem = err.Error()
	r.status.Store(&status)
	r.complain("Config file refused", err)
}

// maxComplaints bounds the lines of one broken file.
const maxComplaints = 20

func (r *reloader) complain(message string, err error) {
	var problems config.Errors
	if !errors.As(err, &problems) {
		r.log.Error(message, logfield.Path(r.path), logfield.Error(err))
		return
	}
	for i, p := range problems {
		if i == maxComplaints {
			r.log.Error(message, logfield.Path(r.path), logfield.Reason(fmt.Sprintf("%d more mistakes", len(problems)-i)))
			return
		}
		r.log.Error(message, logfield.Path(p.Path), zap.Int("line", p.Line), zap.Int("column", p.Column), logfield.Reason(p.Message))
	}
}

// keep writes the copy for the next start.
func (r *reloader) keep(text []byte) {
	if before, err := os.ReadFile(r.lastGood); err == nil && bytes.Equal(before, text) {
		return
	}
	if err := atomicfile.Write(r.lastGood, text); err != nil {
		r.log.Warn("Copy of the config file not written", logfield.Path(r.lastGood), logfield.Error(err))
	}
}

func lastGoodPath(state string) string { return filepath.Join(filepath.Dir(state), lastGoodName) }

// report is an error that says everything that is wrong, with excerpts.
func report(err error) error {
	if problems, ok := errors.AsType[config.Errors](err); ok {
		return errors.New(strings.TrimRight(problems.Report(), "\n"))
	}
	return err
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
