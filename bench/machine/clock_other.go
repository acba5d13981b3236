//go:build !linux

package machine

import (
	"errors"
	"time"
)

var errNotLinux = errors.New("the bench needs Linux")

func cpuOf(int) (time.Duration, error) { return 0, errNotLinux }

func ownCPU() (time.Duration, error) { return 0, errNotLinux }

// RaiseDescriptors does nothing.
func RaiseDescriptors(int) (int, error) { return 0, errNotLinux }
