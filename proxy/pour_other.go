//go:build !linux && !darwin

package proxy

import "syscall"

const canPour = false

func boundUnsent(any) bool { return true }

func lookAt(uintptr, []byte) (int, bool, error) { return 0, false, syscall.EINVAL }

func discardFrom(uintptr, []byte) error { return syscall.EINVAL }
