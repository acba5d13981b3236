package health

import (
	"sync/atomic"
	"time"
)

// How many probes run at once. Thousands of targets that are due together would else
// have thousands of goroutines, while the machine can answer a few. A probe that waits
// for a slow target soon gives up its place, so targets do not wait for each other.
const (
	mostYoung = 512
	youngFor  = 100 * time.Millisecond // how long a probe keeps its place
	placeWait = 100 * time.Millisecond // until a probe that found none tries again, give or take half
)

// young counts the places taken, by all monitors.
var young atomic.Int64

func takePlace() bool {
	if young.Add(1) <= mostYoung {
		return true
	}
	givePlace()
	return false
}

func givePlace() { young.Add(-1) }
