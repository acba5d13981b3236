//go:build !unix

package proxy

import "syscall"

const canTryIO = false

func tryRead(uintptr, []byte) (int, bool, error) { return 0, false, syscall.EINVAL }

func tryWrite(uintptr, []byte, []byte) (int, error) { return 0, syscall.EINVAL }

func peekAt(uintptr) (silent, ended bool) { return true, false }

func takesMore(uintptr) bool { return true }
