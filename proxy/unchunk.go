package proxy

import (
	"bytes"

	"upfront/proxy/http1"
)

// unchunk takes the framing off a chunked body that we wrote. It does not change
// what it is shown, which may break off anywhere.
type unchunk struct {
	state unchunkState
	left  int64  // of the chunk's data
	line  []byte // a line that is not complete

	done bool
	// trailer is called for each line of the trailer section.
	trailer func(name, value string)
}

type unchunkState uint8

const (
	atSize unchunkState = iota
	atData
	behindData
	atTrailer
)

// next returns the next piece of data in b, nil if there is none, and what follows.
func (u *unchunk) next(b []byte) (data, rest []byte, err error) {
	for len(b) > 0 && !u.done {
		if u.state == atData {
			n := int(min(u.left, int64(len(b))))
			if u.left -= int64(n); u.left == 0 {
				u.state = behindData
			}
			return b[:n], b[n:], nil
		}
		var line []byte
		var ok bool
		if line, b, ok = u.takeLine(b); !ok {
			break
		}
		if err := u.judge(line); err != nil {
			return nil, b, err
		}
	}
	return nil, b, nil
}

// takeLine returns the next line of b without its end, once all of it is there.
func (u *unchunk) takeLine(b []byte) (line, rest []byte, ok bool) {
	n := bytes.IndexByte(b, '\n')
	if n < 0 {
		u.line = append(u.line, b...)
		return nil, nil, false
	}
	line, rest = b[:n+1], b[n+1:]
	if len(u.line) > 0 {
		line = append(u.line, line...)
		u.line = u.line[:0]
	}
	return bytes.TrimSuffix(line, lineEnd), rest, true
}

// judge takes a line of the framing.
func (u *unchunk) judge(line []byte) error {
	switch u.state {
	case behindData:
		u.state = atSize
	case atTrailer:
		if len(line) == 0 {
			u.done = true
			return nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		u.trailer(string(name), string(bytes.TrimSpace(value)))
	case atSize, atData:
		size, ok := hexSize(line)
		if !ok {
			return http1.ErrChunkSize
		}
		u.left, u.state = size, atData
		if size == 0 {
			u.state = atTrailer
		}
	}
	return nil
}

// hexSize reads the size of a chunk, which has no extensions.
func hexSize(line []byte) (size int64, ok bool) {
	if len(line) == 0 || len(line) > 15 {
		return 0, false
	}
	for _, c := range line {
		switch {
		case c >= '0' && c <= '9':
			size = size<<4 | int64(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			size = size<<4 | int64(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return size, true
}
