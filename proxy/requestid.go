package proxy

import "math/rand/v2"

// requestID names one request in the access log and to the target: a random
// UUID (RFC 9562 §5.4), or what a trusted proxy sent.
type requestID struct {
	text [64]byte
	n    int
}

const hexDigits = "0123456789abcdef"

// make gives the request a new id. It need not be secret, only distinct.
func (id *requestID) make() {
	hi, lo := rand.Uint64(), rand.Uint64()
	hi = hi&^0xf000 | 0x4000           // version 4
	lo = lo&^(0xc000<<48) | 0x8000<<48 // variant 10
	at := 0
	for i := range 16 {
		word := hi
		if i >= 8 {
			word = lo
		}
		b := byte(word >> (56 - 8*(i%8)))
		if i == 4 || i == 6 || i == 8 || i == 10 {
			id.text[at] = '-'
			at++
		}
		id.text[at], id.text[at+1] = hexDigits[b>>4], hexDigits[b&15]
		at += 2
	}
	id.n = at
}

// accept takes the id that came with the request if it can do no harm in a log.
func (id *requestID) accept(text []byte) bool {
	if len(text) == 0 || len(text) > len(id.text) {
		return false
	}
	for _, c := range text {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	id.n = copy(id.text[:], text)
	return true
}

func (id *requestID) bytes() []byte { return id.text[:id.n] }
