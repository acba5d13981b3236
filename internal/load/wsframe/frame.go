package wsframe

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6455 §1.3 asks for it; nothing secret depends on it
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Opcode of a frame.
type Opcode byte

// The opcodes in use.
const (
	Text   Opcode = 1
	Binary Opcode = 2
	Close  Opcode = 8
	Ping   Opcode = 9
	Pong   Opcode = 10
)

// The close codes in use.
const (
	CloseNormal    = 1000
	CloseGoingAway = 1001
)

// MaxPayload in bytes that Read accepts.
const MaxPayload = 1 << 20

// Frame is one whole message or control frame.
type Frame struct {
	Opcode  Opcode
	Masked  bool
	Payload []byte
}

// CloseCode of a close frame; 1005 when it has none.
func (f Frame) CloseCode() int {
	if len(f.Payload) < 2 {
		return 1005
	}
	return int(binary.BigEndian.Uint16(f.Payload))
}

// ClosePayload is the payload of a close frame.
func ClosePayload(code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

// AcceptKey is the Sec-WebSocket-Accept for a Sec-WebSocket-Key.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see the import
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Append appends f to dst in wire form; a masked frame gets a random mask.
func Append(dst []byte, f Frame) []byte {
	dst = append(dst, 0x80|byte(f.Opcode))
	var mask byte
	if f.Masked {
		mask = 0x80
	}
	switch n := len(f.Payload); {
	case n < 126:
		dst = append(dst, mask|byte(n))
	case n < 1<<16:
		dst = append(dst, mask|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, mask|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	if !f.Masked {
		return append(dst, f.Payload...)
	}
	var key [4]byte
	_, _ = rand.Read(key[:]) // never fails (Go 1.24)
	dst = append(dst, key[:]...)
	for i, b := range f.Payload {
		dst = append(dst, b^key[i%4])
	}
	return dst
}

// Read reads one frame. io.EOF means that the stream ended between two frames.
func Read(r *bufio.Reader) (Frame, error) {
	first, err := r.ReadByte()
	if err != nil {
		return Frame{}, err
	}
	f, err := readAfter(first, r)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return f, err
}

func readAfter(first byte, r *bufio.Reader) (Frame, error) {
	second, err := r.ReadByte()
	if err != nil {
		return Frame{}, err
	}
	if first&0xf0 != 0x80 {
		return Frame{}, fmt.Errorf("read frame: first byte %#02x: want a final frame without reserved bits", first)
	}
	f := Frame{Opcode: Opcode(first & 0x0f), Masked: second&0x80 != 0}
	switch f.Opcode {
	case Text, Binary, Close, Ping, Pong:
	default:
		return Frame{}, fmt.Errorf("read frame: unknown opcode %d", f.Opcode)
	}
	length, err := readLength(second&0x7f, r)
	if err != nil {
		return Frame{}, err
	}
	var key [4]byte
	if f.Masked {
		if _, err := io.ReadFull(r, key[:]); err != nil {
			return Frame{}, err
		}
	}
	f.Payload = make([]byte, length)
	if _, err := io.ReadFull(r, f.Payload); err != nil {
		return Frame{}, err
	}
	if f.Masked {
		for i := range f.Payload {
			f.Payload[i] ^= key[i%4]
		}
	}
	return f, nil
}

func readLength(short byte, r io.Reader) (uint64, error) {
	length := uint64(short)
	switch short {
	case 126:
		var b [2]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return 0, err
		}
		length = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return 0, err
		}
		length = binary.BigEndian.Uint64(b[:])
	}
	if length > MaxPayload {
		return 0, fmt.Errorf("read frame: payload of %d bytes is larger than %d", length, MaxPayload)
	}
	return length, nil
}
