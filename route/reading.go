package route

import "bytes"

// What the readings of one path may cost. Nearly all odd paths have two, and one
// that is odd in every respect has some dozens.
const (
	maxReadings = 256
	maxRead     = 256 << 10 // bytes that all steps together wrote
)

// readings is every way in which a target may understand a path: what any steps
// make of it, in any order and however often. No step but the first decoding makes
// a path longer, so there is an end to it.
type readings struct {
	text []byte  // of all of them, one behind the other
	ends []int32 // of each, in text
	read int     // bytes that steps wrote, also those of readings known already
}

func (r readings) at(i int) []byte {
	start := int32(0)
	if i > 0 {
		start = r.ends[i-1]
	}
	return r.text[start:r.ends[i]]
}

// expanded is r with what each step makes of reading i; false when that becomes too
// much.
func (r readings) expanded(i int) (more readings, ok bool) {
	for s := range stepsInTotal {
		path := r.at(i)
		if !s.changes(path) {
			continue
		}
		start := len(r.text)
		r.text = s.append(r.text, path)
		made := r.text[start:]
		r.read += len(made)
		if r.has(made) {
			r.text = r.text[:start]
			continue
		}
		r.ends = append(r.ends, int32(len(r.text)))
		if len(r.ends) > maxReadings || r.read > maxRead {
			return r, false
		}
	}
	return r, true
}

func (r readings) has(path []byte) bool {
	start := int32(0)
	for _, end := range r.ends {
		if bytes.Equal(r.text[start:end], path) {
			return true
		}
		start = end
	}
	return false
}

// climbs reports whether the dot segments of path lead out of it at some point,
// even when they come back.
func climbs(path []byte) bool {
	depth := 0
	for len(path) > 0 && path[0] == '/' && depth >= 0 {
		segment := firstSegment(path)
		switch dotsOf(segment[1:]) {
		case 0:
			depth++
		case 2:
			depth--
		}
		path = path[len(segment):]
	}
	return depth < 0
}
