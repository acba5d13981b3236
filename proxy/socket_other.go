//go:build !unix

package proxy

import "syscall"

const canTryRead = false

func tryRead(uintptr, []byte) (int, bool, error) { return 0, false, syscall.EINVAL }

func peekAt(uintptr) (silent, ended bool) { return true, false }
