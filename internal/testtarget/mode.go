package testtarget

import "fmt"

// Mode is how a target treats requests.
type Mode int32

// The modes.
const (
	// Healthy answers every request.
	Healthy Mode = iota
	// Hang accepts requests and never answers, until the mode changes.
	Hang
	// Reset answers every request with a TCP reset.
	Reset
	// Refuse has no open listener: connections are refused. Those that exist are
	// kept, and answered.
	Refuse
)

var modeNames = [...]string{Healthy: "healthy", Hang: "hang", Reset: "reset", Refuse: "refuse"}

// String returns the mode's name, as ParseMode reads it.
func (m Mode) String() string { return modeNames[m] }

// ParseMode reads the name of a mode.
func ParseMode(name string) (Mode, error) {
	for mode, n := range modeNames {
		if n == name {
			return Mode(mode), nil
		}
	}
	return 0, fmt.Errorf("parse mode %q: want healthy, hang, reset or refuse", name)
}
