package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"upfront/api"
	"upfront/internal/atomicfile"
)

// maxStateBytes bounds what is read of a state file; 10,000 services take about
// 6 MB.
const maxStateBytes = 256 << 20

// The sources of api.StateStatus.
const (
	sourceNone    = "none"
	sourceFile    = "file"
	sourceBackup  = "backup"
	sourcePartial = "partial"
)

// store is the state file. One store at a time has it locked.
type store struct {
	path string
	lock *atomicfile.Lock

	mu      sync.Mutex
	source  string // guarded by mu
	problem string // guarded by mu; what was wrong at the start
	failed  error  // guarded by mu; why the last write failed
	blocked error  // guarded by mu; why writing would destroy what may be needed
}

// openStore makes the folder and takes the lock.
func openStore(path string) (*store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w: set --state to a file in a folder that proxyd may write", err)
	}
	lock, err := atomicfile.Acquire(path)
	if errors.Is(err, atomicfile.ErrLocked) {
		return nil, fmt.Errorf("state file %s is in use by another proxyd: stop that one, or set --state to another file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("lock state file: %w: set --state to a file in a folder that proxyd may write", err)
	}
	return &store{path: path, lock: lock, source: sourceNone}, nil
}

// close gives the file free; nothing is written any more.
func (s *store) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked = errors.New("proxyd is stopping")
	_ = s.lock.Release() // the end of the process releases it too
}

func (s *store) status() api.StateStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	problem := s.problem
	if s.failed != nil {
		problem = "write state file: " + s.failed.Error()
	}
	return api.StateStatus{Path: s.path, Source: s.source, Problem: problem}
}

// save writes the state of w durably.
func (s *store) save(w *world) error {
	s.mu.Lock()
	blocked := s.blocked
	s.mu.Unlock()
	err := blocked
	if err == nil {
		err = atomicfile.Write(s.path, encodeState(w))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
	return err
}

// load returns what the state file, else its backup, else what is left of both
// holds. An error means that proxyd must not start, lest it destroys the file.
func (s *store) load() (contents, error) {
	backupPath := s.path + atomicfile.BackupSuffix
	main, mainErr := s.read(s.path)
	if errors.Is(mainErr, errLater) {
		return contents{}, mainErr
	}
	if mainErr == nil {
		return s.loaded(main, sourceFile, nil), nil
	}
	backup, backupErr := s.read(backupPath)
	if errors.Is(backupErr, errLater) {
		return contents{}, backupErr
	}
	missing := errors.Is(mainErr, fs.ErrNotExist)
	if missing && errors.Is(backupErr, fs.ErrNotExist) {
		if kept, ok := atomicfile.Aside(s.path); ok {
			s.note(sourcePartial, fmt.Errorf("%w, and a damaged one is kept as %s: deploy again, and remove it", mainErr, kept))
		}
		return contents{}, nil
	}
	problems := []error{mainErr}
	if !missing {
		problems = append(problems, s.setAside(s.path))
	}
	if backupErr == nil {
		return s.loaded(backup, sourceBackup, problems), nil
	}
	if !errors.Is(backupErr, fs.ErrNotExist) {
		problems = append(problems, backupErr, s.setAside(backupPath))
	}
	c := s.loaded(merge(main, backup), sourcePartial, problems)
	// Both names are free now: what was salvaged is nowhere else.
	c.unsaved = len(c.records) > 0
	return c, nil
}

// loaded notes where the state came from and what was wrong with it.
func (s *store) loaded(c contents, source string, problems []error) contents {
	problems = append(problems, c.lost...)
	if len(c.lost) > 0 {
		if source == sourceFile {
			if kept, err := atomicfile.KeepCopy(s.path); err != nil {
				problems = append(problems, err)
			} else {
				problems = append(problems, fmt.Errorf("a copy is kept as %s", kept))
			}
		}
		source = sourcePartial
	}
	s.note(source, problems...)
	return c
}

// note adds to the problems of the start.
func (s *store) note(source string, problems ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.source = source
	sentences := []string{}
	if s.problem != "" {
		sentences = append(sentences, s.problem)
	}
	for _, problem := range problems {
		if problem != nil {
			sentences = append(sentences, problem.Error())
		}
	}
	s.problem = strings.Join(sentences, "; ")
}

// read returns what the file at path holds; with an error, what can be salvaged
// of it.
func (s *store) read(path string) (contents, error) {
	data, err := atomicfile.Read(path, maxStateBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return contents{}, fmt.Errorf("state file %s is missing: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return contents{}, fmt.Errorf("state file %s cannot be read: %w", path, err)
	}
	c, err := decodeState(data)
	if errors.Is(err, errLater) {
		return c, fmt.Errorf("state file %s is from a later proxyd (%w): run that version, "+
			"or set --state to another file", path, err)
	}
	if err != nil {
		return salvage(data), fmt.Errorf("state file %s is damaged: %w", path, err)
	}
	return c, nil
}

// setAside keeps a damaged file and says where.
func (s *store) setAside(path string) error {
	kept, err := atomicfile.SetAside(path)
	if err != nil {
		err = fmt.Errorf("the damaged state file %s cannot be moved aside, so nothing can be saved: %w", path, err)
		s.mu.Lock()
		s.blocked = err
		s.mu.Unlock()
		return err
	}
	return fmt.Errorf("it is kept as %s", kept)
}

// merge adds to what main holds the services that only backup still has.
func merge(main, backup contents) contents {
	known := make(map[string]bool, len(main.records))
	for _, rec := range main.records {
		known[rec.Name] = true
	}
	for _, rec := range backup.records {
		if !known[rec.Name] {
			main.records = append(main.records, rec)
		}
	}
	main.lost = append(main.lost, backup.lost...)
	return main
}
