//go:build !linux

package proxy

// splicing is Linux's.
type splicing struct{}

func (*pour) roomToSplice() int { return 0 }

func (*pour) splice(int) (int, error, error) { panic("BUG: there is no splice here") }
