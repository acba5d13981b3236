package proxy

import "upfront/proxy/http1"

// flow is how far a body has come, in one direction. It is sans-IO: it judges
// and measures the bytes that it is shown.
type flow struct {
	kind   http1.Body
	left   int64 // of a body of Fixed length
	chunks http1.Chunks
	closed bool  // the sender of an UntilClose body closed
	open   int64 // bytes of an UntilClose body so far
}

// walk takes what it can of b. b[:keep] is to be passed on then, and b[:used] is
// consumed.
func (f *flow) walk(b []byte) (keep, used int, err *http1.Error) {
	switch f.kind {
	case http1.Fixed:
		n := int(min(f.left, int64(len(b))))
		f.left -= int64(n)
		return n, n, nil
	case http1.Chunked:
		return f.chunks.Walk(b)
	case http1.UntilClose:
		f.open += int64(len(b))
		return len(b), len(b), nil
	}
	return 0, 0, nil
}

// beyond reports whether the body is larger than limit, 0 for none, as far as is
// known: a Fixed one says so at its start.
func (f *flow) beyond(limit int64) bool {
	if limit <= 0 {
		return false
	}
	return f.kind == http1.Fixed && f.left > limit || max(f.chunks.Size, f.open) > limit
}

// done reports whether the body is complete.
func (f *flow) done() bool {
	switch f.kind {
	case http1.Fixed:
		return f.left == 0
	case http1.Chunked:
		return f.chunks.Done()
	case http1.UntilClose:
		return f.closed
	}
	return true
}
