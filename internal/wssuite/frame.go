package wssuite

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"sync"
)

// The first bytes of frames: FIN and the opcode (RFC 6455 §5.2).
const (
	fin      = 0x80
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xa
)

// frame is a final frame, masked or not.
func frame(opcode byte, payload string, masked bool) string {
	return raw(fin|opcode, payload, masked, width(len(payload)))
}

// unmasked is what a target sends, masked what a client does.
func unmasked(opcode byte, payload string) string { return frame(opcode, payload, false) }

func masked(opcode byte, payload string) string { return frame(opcode, payload, true) }

// by is a frame as this side must send it.
func (s *side) by(opcode byte, payload string) string {
	return frame(opcode, payload, s.name == "client")
}

// width is the bytes that a length needs behind the second byte.
func width(n int) int {
	switch {
	case n < 126:
		return 0
	case n < 1<<16:
		return 2
	}
	return 8
}

var maskingKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// raw is a frame with any first byte, and with a length that is width bytes wide.
func raw(first byte, payload string, masked bool, width int) string {
	b := make([]byte, 0, len(payload)+14)
	b = append(b, head(first, uint64(len(payload)), masked, width)...)
	if !masked {
		return string(append(b, payload...))
	}
	for i := range len(payload) {
		b = append(b, payload[i]^maskingKey[i%4])
	}
	return string(b)
}

// head is the head of a frame, with the masking key.
func head(first byte, length uint64, masked bool, width int) string {
	second := byte(0)
	if masked {
		second = 0x80
	}
	b := []byte{first, second}
	switch width {
	case 0:
		b[1] |= byte(length)
	case 2:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(length))
	default:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, length)
	}
	if masked {
		b = append(b, maskingKey[:]...)
	}
	return string(b)
}

// status is the payload of a close frame.
func status(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

var noise = sync.OnceValue(func() string {
	random := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, 1<<20)
	for len(b) < 1<<20 {
		b = binary.LittleEndian.AppendUint64(b, random.Uint64())
	}
	return string(b)
})

// payload is n bytes that do not repeat within a megabyte.
func payload(n int) string {
	return strings.Repeat(noise(), n>>20) + noise()[:n&(1<<20-1)]
}
