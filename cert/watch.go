package cert

// subject is what is read from files: a Pair or an Authority.
type subject interface {
	refresh() (changed bool, err error)
	subject() string
	watch() *watched
}

// watched is the files of a subject. It polls: a replaced file is seen on every file
// system, through every symbolic link, and however it is replaced.
type watched struct {
	paths  []string
	seen   sign // owner: Store.sweep, once opened
	doubts int  // looks that found what is not good; owner: Store.sweep
}

func (w *watched) watch() *watched { return w }

// maxDoubts is how often files that are not good are read again before that is said:
// two files are seldom replaced at the same moment.
const maxDoubts = 2

// look reads the files again if they were replaced since the last look.
func (w *watched) look(s subject) (Event, bool) {
	now := signOf(w.paths)
	if now == w.seen {
		return Event{}, false
	}
	changed, err := s.refresh()
	if err != nil {
		if w.doubts++; w.doubts <= maxDoubts {
			return Event{}, false
		}
		w.doubts, w.seen = 0, now
		return Event{Path: s.subject(), Err: err}, true
	}
	w.doubts = 0
	if now == signOf(w.paths) { // else it may be of both versions
		w.seen = now
	}
	return Event{Path: s.subject()}, changed
}

// sign is what files look like from outside; the zero value is files that are missing.
type sign [2]fileSign

func signOf(paths []string) (s sign) {
	for i, path := range paths {
		s[i] = signOfFile(path)
	}
	return s
}
