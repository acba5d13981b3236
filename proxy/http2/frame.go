package http2

import "encoding/binary"

// Preface is what a client sends first (RFC 9113 §3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// The types of frames that are told apart (RFC 9113 §6).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	framePing         = 0x6
	frameGoAway       = 0x7
	frameWindowUpdate = 0x8
	frameContinuation = 0x9
)

// The flags that matter.
const (
	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
)

const headerLen = 9

// Code is an error code (RFC 9113 §7).
type Code uint32

// The codes that are sent, or mean something.
const (
	NoError         Code = 0x0
	InternalError   Code = 0x2
	EnhanceYourCalm Code = 0xb
)

// NoLimit is the last stream of a GOAWAY that only warns: streams that are under way
// are still served.
const NoLimit = 1<<31 - 1

const (
	goAwayPayload     = 8
	longestFrameStart = headerLen + 4
)

// AppendGoAway appends a GOAWAY frame (RFC 9113 §6.8).
func AppendGoAway(b []byte, last uint32, code Code) []byte {
	b = append(b, 0, 0, goAwayPayload, frameGoAway, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, last)
	return binary.BigEndian.AppendUint32(b, uint32(code))
}

// frame is what is looked at: the header, and the first bytes of the payload where
// they matter.
type frame struct {
	kind   byte
	flags  byte
	length int
	stream uint32
	start  [4]byte // of the payload: RST_STREAM has its code there, padded DATA the padding's length
}

func (f *frame) has(flag byte) bool { return f.flags&flag != 0 }

// empty reports whether a DATA frame carries nothing at all.
func (f *frame) empty() bool {
	if f.has(flagEndStream) {
		return false
	}
	return f.length == 0 || f.has(flagPadded) && f.length <= 1+int(f.start[0])
}

// cursor walks the frames of one direction as their bytes pass.
type cursor struct {
	skip int                     // bytes before the next frame
	head [longestFrameStart]byte // of the frame that comes
	have int
}

// between reports whether the last byte that passed ended a frame.
func (c *cursor) between() bool { return c.skip == 0 && c.have == 0 }

// next takes bytes from b until the start of a frame is there, and reports whether
// it is.
func (c *cursor) next(b []byte, f *frame) (rest []byte, ok bool) {
	if c.skip > 0 {
		n := min(c.skip, len(b))
		c.skip -= n
		b = b[n:]
	}
	for len(b) > 0 {
		n := copy(c.head[c.have:c.want()], b)
		c.have += n
		b = b[n:]
		if want := c.want(); c.have == want && want >= headerLen {
			c.read(f)
			return b, true
		}
	}
	return b, false
}

// want is how many bytes of the frame that comes are looked at.
func (c *cursor) want() int {
	if c.have < headerLen {
		return headerLen
	}
	length := c.length()
	switch {
	case c.head[3] == frameReset:
		return headerLen + min(length, 4)
	case c.head[3] == frameData && c.head[4]&flagPadded != 0:
		return headerLen + min(length, 1)
	}
	return headerLen
}

func (c *cursor) length() int {
	return int(c.head[0])<<16 | int(c.head[1])<<8 | int(c.head[2])
}

func (c *cursor) read(f *frame) {
	*f = frame{
		kind: c.head[3], flags: c.head[4], length: c.length(),
		stream: binary.BigEndian.Uint32(c.head[5:]) & NoLimit,
	}
	seen := copy(f.start[:], c.head[headerLen:c.have])
	c.skip, c.have = f.length-seen, 0
}
