//go:build !unix

package proxy

import "syscall"

const canTryRead = false

func tryRead(uintptr, []byte) (int, error) { return 0, syscall.EINVAL }

func nothingToRead(uintptr) bool { return true }
