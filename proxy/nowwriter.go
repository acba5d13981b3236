package proxy

// nowWriter writes what a connection takes at once. It is part of a workspace, so
// that an idle connection does not pay for it.
type nowWriter struct {
	pieces [2][]byte
	wrote  int
	failed error
	try    func(fd uintptr) bool // bound once
}

// write writes head and body as far as that needs no waiting, and returns how many
// bytes went out. The connection must be the system's.
func (w *nowWriter) write(s *socket, head, body []byte) (int, error) {
	if w.try == nil {
		w.try = w.once
	}
	w.pieces = [2][]byte{head, body}
	w.wrote, w.failed = 0, nil
	err := s.raw.Write(w.try)
	w.pieces = [2][]byte{}
	if err == nil {
		err = w.failed
	}
	return w.wrote, err
}

// once writes one time, and never asks the runtime to wait.
func (w *nowWriter) once(fd uintptr) bool {
	w.wrote, w.failed = tryWrite(fd, w.pieces[:])
	return true
}
