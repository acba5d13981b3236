package http1

import "bytes"

// Limits bound a head. The zero value refuses everything: callers set both.
type Limits struct {
	Bytes  int // of the whole head, start line and empty line included
	Fields int // field lines
}

// head is what requests and responses have in common: field lines scanned one
// by one, so that a head that arrives in pieces is read once.
type head struct {
	buf    []byte // the caller's; offsets point into it
	fields []Field
	next   int // start of the line to scan next
	looked int // b[next:looked] has no LF

	contentLength int64 // -1 when there is none
	chunked       bool
	codings       int // Transfer-Encoding lines
	unknownCoding bool
	connection    uint8
	options       int // named by Connection lines, for cutNamed
}

// Options of the Connection field.
const (
	optClose = 1 << iota
	optKeepAlive
	optUpgrade
	optOther
)

func (h *head) reset() {
	h.buf, h.fields, h.next, h.looked = nil, h.fields[:0], 0, 0
	h.contentLength, h.chunked, h.codings, h.unknownCoding = -1, false, 0, false
	h.connection, h.options = 0, 0
}

// Fields returns the field lines in the order in which they came. The slice
// belongs to the head and is valid until it is scanned anew.
func (h *head) Fields() []Field { return h.fields }

// Name returns the field's name as it was sent.
func (h *head) Name(f *Field) []byte { return h.buf[f.start:f.nameEnd] }

// Value returns the field's value without the white space around it.
func (h *head) Value(f *Field) []byte { return h.buf[f.value:f.valueEnd] }

// Len returns the length of the head in bytes, the empty line included.
func (h *head) Len() int { return h.next }

// ContentLength returns the length that the head announces, -1 for none.
func (h *head) ContentLength() int64 { return h.contentLength }

// Chunked reports whether the body is chunked.
func (h *head) Chunked() bool { return h.chunked }

// AppendKept appends every line that is not cut and whose kind keep allows, in
// order and byte for byte, neighbours in one copy.
func (h *head) AppendKept(dst []byte, keep *[32]bool) []byte {
	from, to := uint32(0), uint32(0)
	for i := range h.fields {
		f := &h.fields[i]
		if f.Cut || !keep[f.Kind] {
			continue
		}
		if f.start != to {
			dst = append(dst, h.buf[from:to]...)
			from = f.start
		}
		to = f.end
	}
	return append(dst, h.buf[from:to]...)
}

// lineEnd returns where the LF of the next line stands behind h.next, -1 if it has
// not arrived. A line that comes byte by byte is searched once, however long.
func (h *head) lineEnd(b []byte) int {
	from := max(h.next, h.looked)
	n := bytes.IndexByte(b[from:], '\n')
	if n < 0 {
		h.looked = len(b)
		return -1
	}
	return from - h.next + n
}

// scanFields scans lines from h.next on until the empty line. It reports
// whether the head is complete.
func (h *head) scanFields(b []byte, lim Limits) (bool, *Error) {
	h.buf = b
	for {
		n := h.lineEnd(b)
		line := b[h.next:]
		if n < 0 {
			if len(b) >= lim.Bytes {
				return false, ErrHeadTooLarge
			}
			return false, nil
		}
		if h.next+n+1 > lim.Bytes {
			return false, ErrHeadTooLarge
		}
		if n == 0 || line[n-1] != '\r' {
			return false, ErrBareLF
		}
		if n == 1 {
			h.next += 2
			return true, nil
		}
		if len(h.fields) >= lim.Fields {
			return false, ErrTooManyFields
		}
		if err := h.scanField(line[:n-1], n+1); err != nil {
			return false, err
		}
	}
}

// scanField scans one line, without its CRLF; size is its length with it.
func (h *head) scanField(line []byte, size int) *Error {
	if line[0] == ' ' || line[0] == '\t' {
		return ErrFold
	}
	colon, seen := 0, uint8(0)
	for colon < len(line) && class[line[colon]]&classToken != 0 {
		seen |= class[line[colon]]
		colon++
	}
	if colon == 0 || colon == len(line) || line[colon] != ':' {
		return ErrFieldName
	}
	start, end := colon+1, len(line)
	for start < end && (line[start] == ' ' || line[start] == '\t') {
		start++
	}
	for start < end && (line[end-1] == ' ' || line[end-1] == '\t') {
		end--
	}
	value := line[start:end]
	if !validValue(value) {
		return ErrFieldValue
	}
	kind := classify(line[:colon], seen&classOdd != 0)
	at := uint32(h.next)
	h.fields = append(h.fields, Field{
		Kind: kind, start: at, nameEnd: at + uint32(colon),
		value: at + uint32(start), valueEnd: at + uint32(end), end: at + uint32(size),
	})
	h.next += size
	return h.note(kind, value)
}

// note judges the fields that frame the message or name others.
func (h *head) note(kind Kind, value []byte) *Error {
	switch kind {
	case ContentLength:
		n, ok := parseDigits(value)
		if !ok || h.contentLength >= 0 {
			return ErrContentLength
		}
		h.contentLength = n
	case TransferEncoding:
		h.codings++
		h.noteCodings(value)
	case Connection:
		return h.noteConnection(value)
	}
	return nil
}

// noteCodings reads a Transfer-Encoding value; framing judges the result.
func (h *head) noteCodings(value []byte) {
	for rest := value; rest != nil; {
		var coding []byte
		coding, rest = nextElement(rest)
		// A second coding after chunked, or chunked twice, is never final; and
		// parsers disagree about empty elements.
		if h.chunked || len(coding) == 0 {
			h.chunked, h.unknownCoding = false, false
			h.codings = 2
			return
		}
		if equalFold(coding, "chunked") {
			h.chunked = true
		} else {
			h.unknownCoding = true
		}
	}
}

// maxOptions bounds the Connection options of a head: each is compared with
// every field, so that 64 KB of them would cost a hundred times other heads.
const maxOptions = 64

func (h *head) noteConnection(value []byte) *Error {
	for rest := value; rest != nil; {
		var option []byte
		option, rest = nextElement(rest)
		switch {
		case equalFold(option, "close"):
			h.connection |= optClose
		case equalFold(option, "keep-alive"):
			h.connection |= optKeepAlive
		case equalFold(option, "upgrade"):
			h.connection |= optUpgrade
		case len(option) > 0:
			h.connection |= optOther
			if h.options++; h.options > maxOptions {
				return ErrTooManyFields
			}
		}
	}
	return nil
}

// judgeFraming is RFC 9112 §6.1 and §6.3 for what both directions share.
func (h *head) judgeFraming(minor int) *Error {
	if h.codings == 0 {
		return nil
	}
	switch {
	case minor == 0:
		return ErrCodingIn10
	case h.contentLength >= 0:
		return ErrFramingBoth
	case h.codings > 1 || !h.chunked:
		return ErrTransferCoding
	case h.unknownCoding:
		return ErrCodingUnknown
	}
	return nil
}

// cutNamed marks the fields that the Connection field names (RFC 9110 §7.6.1),
// of the kinds that its sender may have away.
func (h *head) cutNamed() {
	if h.connection&optOther == 0 {
		return
	}
	for i := range h.fields {
		if h.fields[i].Kind != Connection {
			continue
		}
		for rest := h.Value(&h.fields[i]); rest != nil; {
			var option []byte
			option, rest = nextElement(rest)
			h.cut(option)
		}
	}
}

func (h *head) cut(name []byte) {
	for i := range h.fields {
		f := &h.fields[i]
		if f.Kind.cuttable() && len(name) == int(f.nameEnd-f.start) && foldedEqual(h.Name(f), name) {
			f.Cut = true
		}
	}
}

func foldedEqual(a, b []byte) bool {
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}
