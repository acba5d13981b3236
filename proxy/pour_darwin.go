package proxy

const discard = 0

func (s *socket) boundUnsent() {}
