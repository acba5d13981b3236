package proxy

const discard = 0

func boundUnsent(any) bool { return true }
