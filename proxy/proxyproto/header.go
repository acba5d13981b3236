package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// MaxBytes is how long a header may be. Version 2 could announce 64 KB; what balancers
// send beside the addresses is a few hundred bytes.
const MaxBytes = 2 << 10

// maxLine is the longest header of version 1, its CRLF included.
const maxLine = 107

// Header is what the balancer says of a connection.
type Header struct {
	// Local says that the balancer speaks for itself, to see whether we are there,
	// or that it does not know the client: the addresses are those of the connection.
	Local bool
	// Source is the client. The zero value when Local, or when the client is on a
	// unix socket.
	Source netip.AddrPort
	// Destination is where the client connected to. Zero as Source is.
	Destination netip.AddrPort
}

// ErrShort says that more bytes are needed.
var ErrShort = errors.New("PROXY header is not complete")

var (
	errNone    = errors.New("no PROXY header")
	errLine    = errors.New("PROXY header of version 1 is not valid")
	errBinary  = errors.New("PROXY header of version 2 is not valid")
	errTooLong = errors.New("PROXY header is too long")
)

var (
	startOfLine = []byte("PROXY ")
	signature   = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// Read reads the header that b begins with, and returns its length. The error is
// ErrShort while b may be the beginning of one.
func Read(b []byte) (h Header, n int, err error) {
	switch {
	case bytes.HasPrefix(b, startOfLine):
		return readLine(b)
	case bytes.HasPrefix(b, signature):
		return readBinary(b)
	case bytes.HasPrefix(startOfLine, b), bytes.HasPrefix(signature, b):
		return Header{}, 0, ErrShort
	}
	return Header{}, 0, errNone
}

// readLine reads version 1: "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".
func readLine(b []byte) (h Header, n int, err error) {
	end := bytes.IndexByte(b[:min(len(b), maxLine)], '\n')
	if end < 0 {
		if len(b) >= maxLine {
			return h, 0, errTooLong
		}
		return h, 0, ErrShort
	}
	line, ok := strings.CutSuffix(string(b[len(startOfLine):end]), "\r")
	if !ok {
		return h, 0, errLine
	}
	fields := strings.Split(line, " ")
	if fields[0] == "UNKNOWN" { // whatever follows is not to be looked at
		return Header{Local: true}, end + 1, nil
	}
	if len(fields) != 5 || fields[0] != "TCP4" && fields[0] != "TCP6" {
		return h, 0, errLine
	}
	is6 := fields[0] == "TCP6"
	source, sourceOK := addressOf(fields[1], fields[3], is6)
	destination, destinationOK := addressOf(fields[2], fields[4], is6)
	if !sourceOK || !destinationOK {
		return h, 0, errLine
	}
	return Header{Source: source, Destination: destination}, end + 1, nil
}

func addressOf(host, port string, is6 bool) (netip.AddrPort, bool) {
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" || addr.Is6() != is6 {
		return netip.AddrPort{}, false
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(number, 10) != port {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), true
}

// The parts of a header of version 2: the signature, version and command, family and
// transport, and the length of what follows, the addresses first and TLVs behind them.
const (
	fixedPart = 16
	version2  = 0x20

	commandLocal = 0x0
	commandProxy = 0x1

	familyUnspecified = 0x0
	familyIPv4        = 0x1
	familyIPv6        = 0x2
	familyUnix        = 0x3
)

// addressBytes is how much the addresses of a family take, ports included.
var addressBytes = [...]int{familyUnspecified: 0, familyIPv4: 12, familyIPv6: 36, familyUnix: 216}

func readBinary(b []byte) (h Header, n int, err error) {
	if len(b) < fixedPart {
		return h, 0, ErrShort
	}
	command, family, transport := b[12]&0x0f, int(b[13]>>4), b[13]&0x0f
	n = fixedPart + int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case b[12]&0xf0 != version2, command > commandProxy, family >= len(addressBytes), transport > 2:
		return h, 0, errBinary
	case n > MaxBytes:
		return h, 0, errTooLong
	case len(b) < n:
		return h, 0, ErrShort
	}
	rest := b[fixedPart:n]
	if command == commandLocal {
		return Header{Local: true}, n, nil // what else it says is not to be looked at
	}
	if len(rest) < addressBytes[family] {
		return h, 0, errBinary
	}
	switch family {
	case familyIPv4:
		h.Source = addressFrom(rest[0:4], rest[8:10])
		h.Destination = addressFrom(rest[4:8], rest[10:12])
	case familyIPv6:
		h.Source = addressFrom(rest[0:16], rest[32:34])
		h.Destination = addressFrom(rest[16:32], rest[34:36])
	case familyUnspecified:
		h.Local = true
	}
	return h, n, nil
}

func addressFrom(ip, port []byte) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(ip) // 4 or 16 bytes
	return netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(port))
}
