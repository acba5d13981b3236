package proxyproto

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
)

// binaryHeader is a header of version 2.
func binaryHeader(command, family byte, rest ...byte) string {
	b := append([]byte(nil), signature...)
	b = append(b, command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(rest)))
	return string(append(b, rest...))
}

var (
	four = []byte{192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb}
	six  = append(append(bytes.Repeat([]byte{0x20}, 16), bytes.Repeat([]byte{0x30}, 16)...), 0xdc, 0x04, 0x01, 0xbb)
)

func TestRead(t *testing.T) {
	client, here := netip.MustParseAddrPort("192.0.2.1:56324"), netip.MustParseAddrPort("198.51.100.1:443")
	client6, here6 := netip.MustParseAddrPort("[2001:db8::1]:56324"), netip.MustParseAddrPort("[2001:db8::2]:443")
	twenties := netip.AddrPortFrom(netip.AddrFrom16([16]byte(bytes.Repeat([]byte{0x20}, 16))), 56324)
	thirties := netip.AddrPortFrom(netip.AddrFrom16([16]byte(bytes.Repeat([]byte{0x30}, 16))), 443)
	tlv := append(append([]byte(nil), four...), 0x02, 0, 3, 'a', '.', 'b')
	for _, c := range []struct {
		name, in string
		want     Header
		err      error
	}{
		{"v1 over IPv4", "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", Header{Source: client, Destination: here}, nil},
		{"v1 over IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", Header{Source: client6, Destination: here6}, nil},
		{"v1 of nobody", "PROXY UNKNOWN\r\n", Header{Local: true}, nil},
		{"v1 of nobody, with more", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Header{Local: true}, nil},
		{"v1 with bare LF", "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n", Header{}, errLine},
		{"v1 with IPv6 as TCP4", "PROXY TCP4 ::1 ::1 1 2\r\n", Header{}, errLine},
		{"v1 with a leading zero", "PROXY TCP4 192.0.2.1 198.51.100.1 056324 443\r\n", Header{}, errLine},
		{"v1 with a port too large", "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n", Header{}, errLine},
		{"v1 with two spaces", "PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n", Header{}, errLine},
		{"v1 with another transport", "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n", Header{}, errLine},
		{"v1 that does not end", "PROXY TCP4 " + strings.Repeat("1", 100), Header{}, errTooLong},
		{"v1 cut", "PROXY TCP4 192.0.2.1", Header{}, ErrShort},
		{"the beginning of v1", "PRO", Header{}, ErrShort},
		{"nothing", "", Header{}, ErrShort},
		{"v2 over IPv4", binaryHeader(0x21, 0x11, four...), Header{Source: client, Destination: here}, nil},
		{"v2 over IPv6", binaryHeader(0x21, 0x21, six...), Header{Source: twenties, Destination: thirties}, nil},
		{"v2 with TLVs", binaryHeader(0x21, 0x11, tlv...), Header{Source: client, Destination: here}, nil},
		{"v2 on a unix socket", binaryHeader(0x21, 0x31, make([]byte, 216)...), Header{}, nil},
		{"v2 of an unknown family", binaryHeader(0x21, 0x00), Header{Local: true}, nil},
		{"v2 of the balancer itself", binaryHeader(0x20, 0x00), Header{Local: true}, nil},
		{"v2 of the balancer itself, with addresses", binaryHeader(0x20, 0x11, four...), Header{Local: true}, nil},
		{"v2 too short for its family", binaryHeader(0x21, 0x11, four[:11]...), Header{}, errBinary},
		{"v2 of another version", binaryHeader(0x31, 0x11, four...), Header{}, errBinary},
		{"v2 with another command", binaryHeader(0x22, 0x11, four...), Header{}, errBinary},
		{"v2 of a family that is none", binaryHeader(0x21, 0x41, four...), Header{}, errBinary},
		{"v2 that is too long", binaryHeader(0x21, 0x11, make([]byte, MaxBytes)...), Header{}, errTooLong},
		{"v2 cut", binaryHeader(0x21, 0x11, four...)[:20], Header{}, ErrShort},
		{"the beginning of v2", "\r\n\r\n\x00", Header{}, ErrShort},
		{"a request", "GET / HTTP/1.1\r\n", Header{}, errNone},
		{"a handshake", "\x16\x03\x01\x02\x00", Header{}, errNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			const behind = "GET /"
			got, n, err := Read([]byte(c.in))
			if got != c.want || err != c.err { //nolint:errorlint // They are Read's own values.
				t.Errorf("got %+v, %v, want %+v, %v", got, err, c.want, c.err)
			}
			if err != nil {
				return
			}
			if n != len(c.in) {
				t.Errorf("got length %d, want %d", n, len(c.in))
			}
			if more, at, err := Read([]byte(c.in + behind)); more != got || at != n || err != nil {
				t.Errorf("with more behind it: got %+v, %d, %v", more, at, err)
			}
		})
	}
}

// What is whole must not depend on how its bytes come, and what is cut is never taken
// for whole.
func FuzzRead(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(binaryHeader(0x21, 0x11, four...)))
	f.Add([]byte(binaryHeader(0x20, 0x00)))
	f.Add([]byte(binaryHeader(0x21, 0x31, make([]byte, 216)...)))
	f.Fuzz(func(t *testing.T, b []byte) {
		want, n, err := Read(b)
		if err == nil && (n > len(b) || n > MaxBytes || n < len("PROXY UNKNOWN\r\n")) {
			t.Fatalf("a header of %d bytes in %d", n, len(b))
		}
		for i := range b {
			got, at, early := Read(b[:i])
			switch {
			case early == nil && (err != nil || at != n || got != want):
				t.Fatalf("%d bytes are %+v, all are %+v, %v", i, got, want, err)
			case early == nil && i < n:
				t.Fatalf("%d of %d bytes are a header", i, n)
			case early != nil && early != ErrShort && early != err: //nolint:errorlint // They are Read's own values.
				t.Fatalf("%d bytes are %v, all are %v", i, early, err)
			}
		}
	})
}
