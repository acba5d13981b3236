package http1

import "bytes"

// Chunks walks a chunked body (RFC 9112 §7.1) as its bytes arrive, judges the
// framing, and leaves in the buffer what is to be passed on: without chunk
// extensions, a size's leading zeros, and trailer fields that must not come late.
// The zero value is ready for a body.
type Chunks struct {
	// Bare passes on the data alone, without framing and trailers, for a
	// receiver that does not know chunks.
	Bare bool
	// Size is how many bytes of data have been walked.
	Size int64

	state    chunkState
	left     int64 // of the chunk's data
	ext      int64 // bytes of chunk extensions so far
	trailers int   // bytes of trailer section so far
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkData
	chunkEnd
	chunkTrailer
	chunkDone
)

// The bounds of what is walked but not passed on.
const (
	maxChunkLine    = 4 << 10  // a chunk-size line with its zeros and extensions
	maxExtBytes     = 16 << 10 // extensions of a body beyond as many bytes as it has data
	maxTrailerBytes = 16 << 10
)

// Done reports whether the body is complete.
func (c *Chunks) Done() bool { return c.state == chunkDone }

// Walk reads b, and compacts what is to be passed on to its front: b[:keep].
// It has then consumed b[:used]; the rest is an incomplete line to be presented
// again with more bytes behind it or, when Done, the next message.
func (c *Chunks) Walk(b []byte) (keep, used int, err *Error) {
	for used < len(b) && c.state != chunkDone {
		var in, out int
		switch c.state {
		case chunkData:
			in = int(min(c.left, int64(len(b)-used)))
			out = in
			if keep != used {
				copy(b[keep:], b[used:used+in])
			}
			c.Size += int64(in)
			if c.left -= int64(in); c.left == 0 {
				c.state = chunkEnd
			}
		case chunkEnd:
			in, out, err = c.walkEnd(b[used:], b[keep:])
		case chunkSize:
			in, out, err = c.walkSize(b[used:], b[keep:])
		case chunkTrailer:
			in, out, err = c.walkTrailer(b[used:], b[keep:])
		}
		if err != nil || in == 0 {
			return keep, used, err
		}
		keep, used = keep+out, used+in
	}
	return keep, used, nil
}

// walkEnd takes the CRLF behind a chunk's data.
func (c *Chunks) walkEnd(src, dst []byte) (in, out int, err *Error) {
	if src[0] != '\r' || len(src) > 1 && src[1] != '\n' {
		return 0, 0, ErrChunkData
	}
	if len(src) < 2 {
		return 0, 0, nil
	}
	c.state = chunkSize
	return 2, c.put(dst, src[:2]), nil
}

// walkSize takes a chunk-size line. Leading zeros are within the grammar, but
// not within the buffers of all targets: they are not passed on.
func (c *Chunks) walkSize(src, dst []byte) (in, out int, err *Error) {
	zeros := 0
	for zeros < len(src) && src[zeros] == '0' {
		zeros++
	}
	size, digits := int64(0), zeros
	for digits < len(src) && class[src[digits]]&classHex != 0 {
		if digits-zeros == 15 { // 60 bits; more cannot be meant
			return 0, 0, ErrChunkSize
		}
		size = size<<4 | int64(unhex(src[digits]))
		digits++
	}
	if digits == 0 || digits < len(src) && !endsSize(src[digits]) {
		return 0, 0, ErrChunkSize
	}
	n := bytes.IndexByte(src, '\n')
	if n < 0 && len(src) < maxChunkLine {
		return 0, 0, nil
	}
	if n < 0 || n >= maxChunkLine {
		return 0, 0, ErrChunkExt
	}
	if src[n-1] != '\r' {
		return 0, 0, ErrChunkSize
	}
	if ext := src[digits : n-1]; len(ext) > 0 && !c.extend(ext) {
		return 0, 0, ErrChunkExt
	}
	if !c.Bare {
		out = copy(dst, src[min(zeros, digits-1):digits])
		out += copy(dst[out:], "\r\n")
	}
	c.left, c.state = size, chunkData
	if size == 0 {
		c.state = chunkTrailer
	}
	return n + 1, out, nil
}

// endsSize reports whether b may follow the digits of a chunk size.
func endsSize(b byte) bool { return b == '\r' || b == ';' || b == ' ' || b == '\t' }

// extend reports whether a chunk may have these extensions. They are bounded
// over the whole body too, as RFC 9112 §7.1.1 asks: else a chunk of one byte
// behind 4 KB of them, again and again, would get past every limit on the body's
// size.
func (c *Chunks) extend(ext []byte) bool {
	c.ext += int64(len(ext))
	return c.ext <= c.Size+maxExtBytes && validExtensions(ext)
}

// walkTrailer takes one line of the trailer section, or the empty line that
// ends the body.
func (c *Chunks) walkTrailer(src, dst []byte) (in, out int, err *Error) {
	n := bytes.IndexByte(src, '\n')
	if n < 0 && c.trailers+len(src) < maxTrailerBytes {
		return 0, 0, nil
	}
	if n < 0 || c.trailers+n >= maxTrailerBytes {
		return 0, 0, ErrTrailerSize
	}
	c.trailers += n + 1
	if n == 0 || src[n-1] != '\r' {
		return 0, 0, ErrTrailer
	}
	if n == 1 {
		c.state = chunkDone
		return 2, c.put(dst, src[:2]), nil
	}
	keep, ok := judgeTrailer(src[:n-1])
	if !ok {
		return 0, 0, ErrTrailer
	}
	if keep {
		out = c.put(dst, src[:n+1])
	}
	return n + 1, out, nil
}

// put passes on a piece of framing.
func (c *Chunks) put(dst, piece []byte) int {
	if c.Bare {
		return 0
	}
	return copy(dst, piece)
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// validExtensions is *( BWS ";" BWS name [ BWS "=" BWS value ] ) of RFC 9112
// §7.1.1. They are cut, but a line that is not one is not walked over.
func validExtensions(b []byte) bool {
	for len(b) > 0 {
		b = skipSpace(b)
		if len(b) == 0 || b[0] != ';' {
			return false
		}
		b = skipSpace(b[1:])
		n := tokenLen(b)
		if n == 0 {
			return false
		}
		b = b[n:]
		rest := skipSpace(b)
		if len(rest) == 0 || rest[0] != '=' {
			continue
		}
		rest = skipSpace(rest[1:])
		if n = valueLen(rest); n == 0 {
			return false
		}
		b = rest[n:]
	}
	return true
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

func tokenLen(b []byte) (n int) {
	for n < len(b) && class[b[n]]&classToken != 0 {
		n++
	}
	return n
}

// valueLen is the length of the token or quoted-string at the front of b, 0 if
// there is none.
func valueLen(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return tokenLen(b)
	}
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '"':
			return i + 1
		case b[i] == '\\':
			i++
		}
		if i < len(b) && !validBytes(b[i:i+1]) {
			return 0
		}
	}
	return 0
}

// judgeTrailer reports whether a trailer line is well formed, and whether it may
// be passed on: not a field that frames, routes, authenticates or describes the
// message, or that a proxy sets (RFC 9110 §6.5.1).
func judgeTrailer(line []byte) (keep, ok bool) {
	n, seen := 0, uint8(0)
	for n < len(line) && class[line[n]]&classToken != 0 {
		seen |= class[line[n]]
		n++
	}
	if n == 0 || n == len(line) || line[n] != ':' || !validValue(trim(line[n+1:])) {
		return false, false
	}
	name := line[:n]
	if classify(name, seen&classOdd != 0) != Other {
		return false, true
	}
	for _, forbidden := range lateFields {
		if equalFold(name, forbidden) {
			return false, true
		}
	}
	return true, true
}

var lateFields = []string{
	"age", "authorization", "cache-control", "content-encoding", "content-range", "cookie",
	"date", "expires", "location", "max-forwards", "pragma", "range", "retry-after",
	"set-cookie", "vary", "warning", "www-authenticate", "if-match", "if-none-match",
	"if-modified-since", "if-unmodified-since", "if-range",
}
