package dial

import (
	"net"
	"testing"
)

// stuck is a connection of which the system has taken a part of every write.
type stuck struct {
	net.Conn
	writing func()
}

func (s stuck) Write(p []byte) (int, error) {
	s.writing()
	return len(p), nil
}

// Who compares what the system has not acknowledged with what was written must not find
// more of the former.
func TestWire_countsWhatIsBeingWritten(t *testing.T) {
	var w *wire
	var counted int64
	w = newWire(stuck{writing: func() { counted = w.wrote.Load() }})
	for _, want := range []int64{5, 10} {
		if _, err := w.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if counted != want {
			t.Errorf("%d bytes are counted while %d are under way", counted, want)
		}
	}
}
