package load

import (
	"bytes"
	"errors"
	"fmt"
)

// answer is what the head of an answer announces.
type answer struct {
	size  int // of the head
	body  int // bytes that follow
	final bool
}

var (
	errIncomplete = errors.New("head is not complete")
	errNoLength   = errors.New("answer without Content-Length")

	headEnd       = []byte("\r\n\r\n")
	statusOK      = []byte("HTTP/1.1 200 ")
	switching     = []byte("HTTP/1.1 101 ")
	contentLength = []byte("content-length")
	connection    = []byte("connection")
	closing       = []byte("close")
)

// parseAnswer reads the head at the beginning of b, which must be of a 200 with a
// length, or of a 101.
func parseAnswer(b []byte) (answer, error) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		return answer{}, errIncomplete
	}
	a := answer{size: end + len(headEnd)}
	fields := b[:end+2]
	line := bytes.IndexByte(fields, '\n')
	switch {
	case bytes.HasPrefix(fields, statusOK):
	case bytes.HasPrefix(fields, switching):
		return a, nil
	default:
		return a, fmt.Errorf("answered %q", bytes.TrimSpace(fields[:line]))
	}
	length := -1
	for fields = fields[line+1:]; len(fields) > 0; fields = fields[line+1:] {
		line = bytes.IndexByte(fields, '\n')
		if fields[0]|0x20 != 'c' {
			continue
		}
		if value, ok := fieldValue(fields[:line], contentLength); ok {
			length = 0
			for _, c := range value {
				length = length*10 + int(c-'0')
			}
		} else if value, ok := fieldValue(fields[:line], connection); ok {
			a.final = bytes.EqualFold(value, closing)
		}
	}
	if length < 0 {
		return a, errNoLength
	}
	a.body = length
	return a, nil
}

func fieldValue(line, name []byte) ([]byte, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || !bytes.EqualFold(line[:len(name)], name) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name)+1:]), true
}
