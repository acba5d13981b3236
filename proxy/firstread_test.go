package proxy

import (
	"errors"
	"testing"
)

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("BUG: of net/http") }

func TestFirstRead_keepsAPanicToItsStream(t *testing.T) {
	var r firstRead
	r.reset()
	if n, err := r.read(panicking{}, make([]byte, 9)); n != 0 || !errors.Is(err, errPanic) {
		t.Errorf("got %d, %v, want %v", n, err, errPanic)
	}
}
