package proxy

import "testing"

// What probes keep fills the room that is left, and goes before anything else does.
func TestRoom_probesMakeRoom(t *testing.T) {
	kept := 0
	var r room
	r = newRoom(func() bool {
		if kept == 0 {
			return false
		}
		kept--
		r.giveBack()
		return true
	})
	r.limit.Store(10)
	r.take()
	for range 20 {
		if r.takeSpare() {
			kept++
		}
	}
	if kept != 9 {
		t.Errorf("probes keep %d connections beside one of 10, want 9", kept)
	}
	for range 4 {
		r.take()
	}
	if taken := r.taken.Load(); kept != 5 || taken != 10 {
		t.Errorf("probes keep %d beside 5, and %d are taken, want 5 and 10", kept, taken)
	}
}
