package http1

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// verdict is one line of the tables: a message, and what is said about it. A
// nil error means that it is accepted.
type verdict struct {
	name, raw string
	want      *Error
}

// get and post are what most lines of the tables have around their point.
func get(fields string) string { return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" }

func post(fields string) string { return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" }

// line is a request with this request line.
func line(l string) string { return l + "\r\nHost: a\r\n\r\n" }

var requestVerdicts = []verdict{
	// Lines.
	{"RFC9112_2_2_emptyLineBefore", "\r\n" + get(""), nil},
	{"RFC9112_2_2_twoEmptyLinesBefore", "\r\n\r\n" + get(""), nil},
	{"RFC9112_2_2_threeEmptyLinesBefore", "\r\n\r\n\r\n" + get(""), ErrRequestLine},
	{"RFC9112_2_2_bareLFBefore", "\n" + get(""), ErrBareLF},
	{"RFC9112_2_2_bareCRBefore", "\r" + get(""), ErrRequestLine},
	{"RFC9112_2_2_spaceBefore", " " + get(""), ErrRequestLine},
	{"RFC9112_2_2_requestLineEndsInLF", "GET / HTTP/1.1\nHost: a\r\n\r\n", ErrBareLF},
	{"RFC9112_2_2_fieldLineEndsInLF", "GET / HTTP/1.1\r\nHost: a\n\r\n", ErrBareLF},
	{"RFC9112_2_2_headEndsInLF", "GET / HTTP/1.1\r\nHost: a\r\n\n", ErrBareLF},
	{"RFC9112_2_2_allLF", "GET / HTTP/1.1\nHost: a\n\n", ErrBareLF},
	{"RFC9112_2_2_CRCRLF", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n", ErrFieldName},
	{"RFC9112_2_2_bareCRInRequestLine", "GET / HTTP/1.1\rHost: a\r\n\r\n", ErrRequestLine},
	{"RFC9112_2_2_bareCREndsValue", get("X: 1\r\r\n"), ErrFieldValue},
	{"RFC9112_2_2_bareCRInValue", get("X: 1\rY: 2\r\n"), ErrFieldValue},
	{"RFC9112_2_2_bareCRInName", get("X\rY: 2\r\n"), ErrFieldName},
	{"RFC9112_2_2_bareCRAtLineStart", get("\rX: 2\r\n"), ErrFieldName},
	{"RFC9112_2_2_spaceLineAfterRequestLine", "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", ErrFold},
	{"RFC9112_2_2_foldedFirstField", "GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n", ErrFold},
	{"RFC9112_2_2_TLSHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", ErrRequestLine},
	{"RFC9112_2_2_NULs", "\x00\x00\x00\x00", ErrRequestLine},
	{"RFC9112_2_2_garbageEndsInLF", "G\x01\n", ErrRequestLine},
	{"RFC9112_2_2_unfinished", "GET / HTTP/1.1\r\nHost: a\r\n", errUnfinished},

	// Request line.
	{"RFC9112_3_methodEmpty", line(" / HTTP/1.1"), ErrRequestLine},
	{"RFC9112_3_methodOnly", line("GET"), ErrRequestLine},
	{"RFC9112_3_noVersion", line("GET /"), ErrRequestLine},
	{"RFC9112_3_versionEmpty", line("GET / "), ErrRequestLine},
	{"RFC9112_3_targetEmpty", line("GET  HTTP/1.1"), ErrRequestLine},
	{"RFC9112_3_twoSpaces", line("GET  / HTTP/1.1"), ErrRequestLine},
	{"RFC9112_3_twoSpacesBeforeVersion", line("GET /  HTTP/1.1"), ErrRequestLine},
	{"RFC9112_3_trailingSpace", line("GET / HTTP/1.1 "), ErrRequestLine},
	{"RFC9112_3_tabs", line("GET\t/\tHTTP/1.1"), ErrRequestLine},
	{"RFC9112_3_tabInTarget", line("GET /\tHTTP/1.1"), ErrTarget},
	{"RFC9112_3_verticalTab", line("GET\v/ HTTP/1.1"), ErrRequestLine},
	{"RFC9112_3_fourParts", line("GET / x HTTP/1.1"), ErrRequestLine},
	{"RFC9112_3_proxyProtocol", "PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\n" + get(""), ErrRequestLine},
	{"RFC9110_9_1_methodControl", line("GE\x01T / HTTP/1.1"), ErrRequestLine},
	{"RFC9110_9_1_methodNUL", line("GET\x00 / HTTP/1.1"), ErrRequestLine},
	{"RFC9110_9_1_methodColon", line("GET: / HTTP/1.1"), ErrRequestLine},
	{"RFC9110_9_1_methodObsText", line("G\xc3\x89T / HTTP/1.1"), ErrRequestLine},
	{"RFC9110_9_1_methodLower", line("get / HTTP/1.1"), nil},
	{"RFC9110_9_1_methodUnknown", line("M-SEARCH!#$ / HTTP/1.1"), nil},
	{"RFC9110_9_3_6_connect", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", ErrConnect},
	{"RFC9110_9_3_6_connectPath", line("CONNECT / HTTP/1.1"), ErrConnect},
	{"RFC9110_9_3_6_connectLower", line("connect a:443 HTTP/1.1"), ErrTarget},
	{"RFC9110_9_3_8_trace", line("TRACE / HTTP/1.1"), ErrTrace},

	// Version.
	{"RFC9112_2_3_http10", line("GET / HTTP/1.0"), nil},
	{"RFC9112_2_3_http12", line("GET / HTTP/1.2"), nil},
	{"RFC9112_2_3_http09", line("GET / HTTP/0.9"), ErrVersion},
	{"RFC9112_2_3_http20", line("GET / HTTP/2.0"), ErrVersion},
	{"RFC9112_2_3_http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ErrVersion},
	{"RFC9112_2_3_http99", line("GET / HTTP/9.9"), ErrVersion},
	{"RFC9112_2_3_lower", line("GET / http/1.1"), ErrRequestLine},
	{"RFC9112_2_3_noMinor", line("GET / HTTP/1"), ErrRequestLine},
	{"RFC9112_2_3_twoDigits", line("GET / HTTP/1.11"), ErrRequestLine},
	{"RFC9112_2_3_leadingZero", line("GET / HTTP/01.1"), ErrRequestLine},
	{"RFC9112_2_3_comma", line("GET / HTTP/1,1"), ErrRequestLine},
	{"RFC9112_2_3_letter", line("GET / HTTP/1.x"), ErrRequestLine},
	{"RFC9112_2_3_otherProtocol", line("GET / RTSP/1.0"), ErrRequestLine},

	// Fields.
	{"RFC9112_5_noColon", get("foo\r\n"), ErrFieldName},
	{"RFC9112_5_emptyName", get(": x\r\n"), ErrFieldName},
	{"RFC9112_5_equals", get("Transfer-Encoding=chunked\r\n"), ErrFieldName},
	{"RFC9112_5_1_spaceBeforeColon", post("Content-Length : 5\r\n"), ErrFieldName},
	{"RFC9112_5_1_tabBeforeColon", post("Transfer-Encoding\t: chunked\r\n"), ErrFieldName},
	{"RFC9112_5_1_hostSpaceBeforeColon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", ErrFieldName},
	{"RFC9112_5_1_whiteSpaceAround", get("X:\t  v \t\r\nY:\r\nZ: \t \r\n"), nil},
	{"RFC9112_5_2_fold", get("X: b\r\n c\r\n"), ErrFold},
	{"RFC9112_5_2_foldTab", post("Transfer-Encoding:\r\n\tchunked\r\n"), ErrFold},
	{"RFC9112_5_2_foldOfSpaces", get("X: b\r\n  \r\n"), ErrFold},
	{"RFC9112_5_2_foldedHost", get(" evil\r\n"), ErrFold},
	{"RFC9110_5_1_nameNUL", post("Content-Length\x00: 5\r\n"), ErrFieldName},
	{"RFC9110_5_1_nameControl", post("\x01Transfer-Encoding: chunked\r\n"), ErrFieldName},
	{"RFC9110_5_1_nameObsText", get("X-\xe9: b\r\n"), ErrFieldName},
	{"RFC9110_5_1_nameSpace", get("X A: b\r\n"), ErrFieldName},
	{"RFC9110_5_1_nameQuoted", get("\"X\": b\r\n"), ErrFieldName},
	{"RFC9110_5_1_nameDelimiters", get("X(a)/[b]@{c}: b\r\n"), ErrFieldName},
	{"RFC9110_5_1_nameBackslash", post("Transfer\\-Encoding: chunked\r\n"), ErrFieldName},
	{"RFC9110_5_1_nameAllTchars", get("X!#$%&'*+.^`|~09: 1\r\n"), nil},
	{"RFC9110_5_5_valueNUL", get("X: b\x00c\r\n"), ErrFieldValue},
	{"RFC9110_5_5_valueControl", get("X: b\x07c\r\n"), ErrFieldValue},
	{"RFC9110_5_5_valueDEL", get("X: long enough a value\x7f for the fast path\r\n"), ErrFieldValue},
	{"RFC9110_5_5_valueControlFirst", post("Transfer-Encoding: \vchunked\r\n"), ErrFieldValue},
	{"RFC9110_5_5_valueObsText", get("X: caf\xc3\xa9 \x80\xff\r\n"), nil},
	{"RFC9110_5_5_valueTabs", get("X: a\tb\tc\td\te\tf\tg\th\r\n"), nil},

	// Content-Length.
	{"RFC9112_6_2_length", post("Content-Length: 5\r\n"), nil},
	{"RFC9112_6_2_lengthZero", post("Content-Length: 0\r\n"), nil},
	{"RFC9110_8_6_leadingZeros", post("Content-Length: 0005\r\n"), nil},
	{"RFC9110_8_6_18Digits", post("Content-Length: 999999999999999999\r\n"), nil},
	{"RFC9110_8_6_19Digits", post("Content-Length: 9223372036854775813\r\n"), ErrContentLength},
	{"RFC9110_8_6_wraps64", post("Content-Length: 18446744073709551621\r\n"), ErrContentLength},
	{"RFC9110_8_6_huge", post("Content-Length: " + strings.Repeat("9", 40) + "\r\n"), ErrContentLength},
	{"RFC9110_8_6_empty", post("Content-Length: \r\n"), ErrContentLength},
	{"RFC9110_8_6_plus", post("Content-Length: +5\r\n"), ErrContentLength},
	{"RFC9110_8_6_minus", post("Content-Length: -5\r\n"), ErrContentLength},
	{"RFC9110_8_6_minusZero", post("Content-Length: -0\r\n"), ErrContentLength},
	{"RFC9110_8_6_hex", post("Content-Length: 0x5\r\n"), ErrContentLength},
	{"RFC9110_8_6_inner", post("Content-Length: 5 0\r\n"), ErrContentLength},
	{"RFC9110_8_6_dot", post("Content-Length: 5.0\r\n"), ErrContentLength},
	{"RFC9110_8_6_underscore", post("Content-Length: 0_5\r\n"), ErrContentLength},
	{"RFC9110_8_6_semicolon", post("Content-Length: 5;\r\n"), ErrContentLength},
	{"RFC9110_8_6_quoted", post("Content-Length: \"5\"\r\n"), ErrContentLength},
	{"RFC9110_8_6_nbsp", post("Content-Length: \xa05\r\n"), ErrContentLength},
	{"RFC9110_8_6_arabicFive", post("Content-Length: \xd9\xa5\r\n"), ErrContentLength},
	{"RFC9110_8_6_NUL", post("Content-Length: 5\x00\r\n"), ErrFieldValue},
	{"RFC9112_6_3_listSame", post("Content-Length: 5, 5\r\n"), ErrContentLength},
	{"RFC9112_6_3_listEndsEmpty", post("Content-Length: 5,\r\n"), ErrContentLength},
	{"RFC9112_6_3_repeatedSame", post("Content-Length: 5\r\nContent-Length: 5\r\n"), ErrContentLength},
	{"RFC9112_6_3_repeatedOther", post("Content-Length: 5\r\ncontent-length: 6\r\n"), ErrContentLength},
	{"RFC9112_6_3_repeatedZeroFirst", post("Content-Length: 0\r\nContent-Length: 44\r\n"), ErrContentLength},

	// Transfer-Encoding.
	{"RFC9112_6_1_chunked", post("Transfer-Encoding: chunked\r\n"), nil},
	{"RFC9112_6_1_chunkedAnyCase", post("TRANSFER-ENCODING:\tChunKED\t\r\n"), nil},
	{"RFC9112_6_1_besideLength", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n"), ErrFramingBoth},
	{"RFC9112_6_1_beforeLength", post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), ErrFramingBoth},
	{"RFC9112_6_1_besideLengthUnknown", post("Content-Length: 6\r\nTransfer-Encoding: xchunked\r\n"), ErrFramingBoth},
	{"RFC9112_6_1_transferEncodingIn10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", ErrCodingIn10},
	{"RFC9112_6_1_transferEncodingIn10KeepAlive", "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", ErrCodingIn10},
	{"RFC9112_6_1_gzipChunked", post("Transfer-Encoding: gzip, chunked\r\n"), ErrCodingUnknown},
	{"RFC9112_6_1_identityChunked", post("Transfer-Encoding: identity, chunked\r\n"), ErrCodingUnknown},
	{"RFC9112_6_3_gzip", post("Transfer-Encoding: gzip\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_identity", post("Transfer-Encoding: identity\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_empty", post("Transfer-Encoding:\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_xchunked", post("Transfer-Encoding: xchunked\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_chunkedGzip", post("Transfer-Encoding: chunked, gzip\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_chunkedTwice", post("Transfer-Encoding: chunked, chunked\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_chunkedThrice", post("Transfer-Encoding: chunked, chunked, chunked\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_chunkedEmpty", post("Transfer-Encoding: chunked,\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_emptyChunked", post("Transfer-Encoding: ,chunked\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_emptyBetween", post("Transfer-Encoding: gzip, ,chunked\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_linesSame", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_linesIdentity", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_linesIdentityFirst", post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_linesThree", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_parameter", post("Transfer-Encoding: chunked;q=1\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_semicolon", post("Transfer-Encoding: chunked;\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_quoted", post("Transfer-Encoding: \"chunked\"\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_nbsp", post("Transfer-Encoding: \xa0chunked\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_kelvin", post("Transfer-Encoding: chun\xe2\x84\xaaed\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_twoWords", post("Transfer-Encoding: chunked x\r\n"), ErrTransferCoding},

	// Expect, and bounds.
	{"RFC9110_10_1_1_continue", post("Expect: 100-Continue\r\nContent-Length: 5\r\n"), nil},
	{"RFC9110_10_1_1_unknown", post("Expect: 200-ok\r\nContent-Length: 5\r\n"), ErrExpect},
	{"RFC9110_10_1_1_prefixed", post("Expect: y 100-continue\r\nContent-Length: 5\r\n"), ErrExpect},
	{"RFC9110_10_1_1_list", post("Expect: 100-continue, x\r\nContent-Length: 5\r\n"), ErrExpect},
	{"RFC9110_10_1_1_secondLine", post("Expect: 100-continue\r\nExpect: x\r\nContent-Length: 5\r\n"), ErrExpect},
	{"RFC9110_10_1_1_empty", post("Expect:\r\n"), nil},
	{"RFC9110_5_6_1_2_expectEmptyElements", post("Expect: ,100-continue ,,\r\nContent-Length: 5\r\n"), nil},
	{"RFC9110_10_1_1_twice", post("Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"), nil},
	{"RFC9112_3_2_malformedBeforeExpect", "POST x HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", ErrTarget},
	{"RFC9112_6_1_framingBeforeExpect", post("Expect: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"), ErrFramingBoth},
	{"RFC9110_10_1_1_ignoredIn10", "POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 5\r\n\r\n", nil},
	{"RFC9110_7_6_1_manyOptions", get("Connection: " + strings.Repeat("x,", 65) + "\r\n"), ErrTooManyFields},
	{"RFC9110_7_6_1_manyLines", get(strings.Repeat("Connection: a,b,c,d\r\n", 17)), ErrTooManyFields},
	{"RFC6585_5_fieldsAtLimit", get(strings.Repeat("A: b\r\n", 99)), nil},
	{"RFC6585_5_fieldsOverLimit", get(strings.Repeat("A: b\r\n", 100)), ErrTooManyFields},
	{"RFC6585_5_headAtLimit", get("A: " + strings.Repeat("x", 2048-len(get("A: \r\n"))) + "\r\n"), nil},
	{"RFC6585_5_headOverLimit", get("A: " + strings.Repeat("x", 2049-len(get("A: \r\n"))) + "\r\n"), ErrHeadTooLarge},
	{"RFC6585_5_fieldWithoutEnd", "GET / HTTP/1.1\r\nA: " + strings.Repeat("x", 2048), ErrHeadTooLarge},
	{"RFC9112_3_targetTooLong", line("GET /" + strings.Repeat("x", 2048) + " HTTP/1.1"), ErrTargetTooLong},
	{"RFC9112_3_targetTooLongWithoutEnd", "GET /" + strings.Repeat("x", 2048), ErrTargetTooLong},
	{"RFC9112_3_methodTooLong", line(strings.Repeat("M", 2048) + " / HTTP/1.1"), ErrMethodTooLong},
	{"RFC9112_3_versionTooLong", line("GET / HTTP/1." + strings.Repeat("1", 2048)), ErrRequestLine},
	{"RFC6585_5_garbageTooLong", strings.Repeat("\x01", 4096), ErrRequestLine},
}

// small keeps the tests of every split fast.
var small = Limits{Bytes: 2048, Fields: 100}

// errUnfinished stands for a message of which more must come.
var errUnfinished = &Error{0, "unfinished"}

func TestRequest_Scan(t *testing.T) {
	for _, v := range append(requestVerdicts, targetVerdicts...) {
		t.Run(v.name, func(t *testing.T) {
			var whole Request
			got := scanRequest(&whole, []byte(v.raw))
			if got != v.want {
				t.Fatalf("%q: got %v, want %v", v.raw, got, v.want)
			}
			everySplit(t, v.raw, describeRequest(&whole, got), func(pieces ...[]byte) string {
				var r Request
				err := scanRequest(&r, pieces...)
				return describeRequest(&r, err)
			})
		})
	}
}

// scanRequest scans growing copies of one message. It spoils a copy when it has
// made the next, as a buffer that went back to its pool would be.
func scanRequest(r *Request, grown ...[]byte) *Error {
	r.Reset()
	for i, b := range grown {
		done, err := r.Scan(b, small)
		if i > 0 {
			spoil(grown[i-1])
		}
		if err != nil {
			return err
		}
		if done {
			return nil
		}
	}
	return errUnfinished
}

func spoil(b []byte) {
	for i := range b {
		b[i] = '\n'
	}
}

// stepFor is the distance of the cuts to try in raw: one, but for long ones.
func stepFor(raw string) int {
	if len(raw) <= 256 {
		return 1
	}
	return 1 + len(raw)/40
}

// everySplit compares what scan says of raw in one piece with what it says of
// it in two, cut at every place, and byte by byte; of long ones, in larger steps.
func everySplit(t *testing.T, raw, want string, scan func(grown ...[]byte) string) {
	t.Helper()
	step := stepFor(raw)
	for i := 0; i < len(raw); i += step {
		if got := scan([]byte(raw[:i]), []byte(raw)); got != want {
			t.Fatalf("cut at %d of %q:\ngot  %s\nwant %s", i, raw, got, want)
		}
	}
	var grown [][]byte
	for i := step; i < len(raw); i += step {
		grown = append(grown, []byte(raw[:i]))
	}
	grown = append(grown, []byte(raw))
	if got := scan(grown...); got != want {
		t.Fatalf("byte by byte %q:\ngot  %s\nwant %s", raw, got, want)
	}
}

// describeRequest is all that a caller can learn of r.
func describeRequest(r *Request, err *Error) string {
	if err != nil {
		return err.Reason
	}
	return fmt.Sprintf("%s %s path=%s host=%s minor=%d abs=%t 100=%t ws=%t upgrade=%s trailers=%t ka=%t body=%t %s",
		r.Method, r.Target, r.Path, r.Host, r.Minor, r.Absolute, r.Continue, r.WebSocket, r.Upgrade, r.Trailers,
		r.KeepAlive(), r.HasBody(), describeHead(&r.head))
}

func describeHead(h *head) string {
	var s strings.Builder
	fmt.Fprintf(&s, "len=%d cl=%d chunked=%t", h.Len(), h.ContentLength(), h.Chunked())
	for i := range h.Fields() {
		f := &h.Fields()[i]
		fmt.Fprintf(&s, " %d/%t %q=%q", f.Kind, f.Cut, h.Name(f), h.Value(f))
	}
	return s.String()
}

func mustScan(t *testing.T, raw string) *Request {
	t.Helper()
	r := new(Request)
	r.Reset()
	if done, err := r.Scan([]byte(raw), usual); !done || err != nil {
		t.Fatalf("%q: got %t, %v", raw, done, err)
	}
	return r
}

func TestRequest_Scan_everyByteInEveryPlace(t *testing.T) {
	for _, place := range []struct {
		name, before, after string
		allowed             func(c byte) bool
	}{
		{"RFC9110_9_1_method", "G", "T / HTTP/1.1\r\nHost: a\r\n\r\n", isTchar},
		{"RFC9112_3_2_path", "GET /", "x HTTP/1.1\r\nHost: a\r\n\r\n", func(c byte) bool { return c > ' ' && c < 0x7f && c != '#' && c != '\\' }},
		{"RFC9112_3_2_query", "GET /?", "x HTTP/1.1\r\nHost: a\r\n\r\n", func(c byte) bool { return c > ' ' && c < 0x7f && c != '#' }},
		{"RFC9110_5_1_name", get("")[:len(get(""))-2] + "X", "Y: z\r\n\r\n", func(c byte) bool { return isTchar(c) || c == ':' }},
		{"RFC9110_5_5_shortValue", get("")[:len(get(""))-2] + "X: a", "b\r\n\r\n", isValue},
		{"RFC9110_5_5_longValue", get("")[:len(get(""))-2] + "X: aaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb\r\n\r\n", isValue},
		{"RFC9110_7_2_host", "GET / HTTP/1.1\r\nHost: a", "1\r\n\r\n", func(c byte) bool {
			return isTchar(c) && c != '#' && c != '^' && c != '`' && c != '|' && c != '%' || strings.IndexByte("():;=", c) >= 0
		}},
	} {
		t.Run(place.name, func(t *testing.T) {
			for c := range 256 {
				var r Request
				r.Reset()
				raw := place.before + string([]byte{byte(c)}) + place.after
				done, err := r.Scan([]byte(raw), usual)
				if got := done && err == nil; got != place.allowed(byte(c)) {
					// A space ends the method, and what follows is no target.
					t.Errorf("byte %#x: got %t (%v), want %t", c, got, err, place.allowed(byte(c)))
				}
			}
		})
	}
}

func isTchar(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isValue(c byte) bool { return c == '\t' || c >= ' ' && c != 0x7f }

func TestRequest_RFC9110_7_6_1_cutsNamedFields(t *testing.T) {
	for _, c := range []struct{ name, fields, cut string }{
		{"one", "X-Secret: 1\r\nConnection: X-Secret, close\r\n", "X-Secret"},
		{"beforeAndAfter", "Connection: x-a\r\nX-A: 1\r\nX-B: 2\r\nConnection: X-B ,, close\r\n", "X-A X-B"},
		{"everyLine", "x-a: 1\r\nConnection: X-A\r\nX-A: 2\r\n", "x-a X-A"},
		{"notProtected", "Connection: Host, Content-Length, X-Forwarded-For, X-Request-Id, X-Real-Ip, Upgrade, TE\r\n" +
			"Content-Length: 5\r\nX-Forwarded-For: 1\r\nX-Request-Id: 1\r\nX-Real-Ip: 1\r\n", ""},
		{"framing", "Connection: Transfer-Encoding, Connection\r\nTransfer-Encoding: chunked\r\n", ""},
		{"ownKindNotProtected", "Connection: User-Agent, Content-Type\r\nUser-Agent: x\r\nContent-Type: y\r\n", "User-Agent Content-Type"},
		{"alias", "Connection: X_Forwarded_For\r\nX_Forwarded_For: x\r\n", "X_Forwarded_For"},
		{"noneNamed", "Connection: close, keep-alive\r\nClose: 1\r\n", ""},
		{"emptyOptions", "Connection: ,\t, ,\r\nX: 1\r\n", ""},
		{"notAPrefix", "Connection: X-A\r\nX-AB: 1\r\nX-: 1\r\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := mustScan(t, post(c.fields))
			var cut []string
			for i := range r.Fields() {
				if f := &r.Fields()[i]; f.Cut {
					cut = append(cut, string(r.Name(f)))
				}
			}
			if got := strings.Join(cut, " "); got != c.cut {
				t.Errorf("got %q, want %q", got, c.cut)
			}
		})
	}
}

func TestRequest_RFC9112_9_3_persistence(t *testing.T) {
	for _, c := range []struct {
		name, version, fields string
		want                  bool
	}{
		{"11", "1.1", "", true},
		{"11Close", "1.1", "Connection: Close\r\n", false},
		{"11CloseInList", "1.1", "Connection: foo,close ,bar\r\n", false},
		{"11CloseInSecondLine", "1.1", "Connection: keep-alive\r\nConnection: close\r\n", false},
		{"11CloseWithParameter", "1.1", "Connection: close;x\r\n", true},
		{"10", "1.0", "", false},
		{"10KeepAlive", "1.0", "Connection: Keep-Alive\r\n", true},
		{"10Both", "1.0", "Connection: keep-alive, close\r\n", false},
		{"10ProxyConnection", "1.0", "Proxy-Connection: keep-alive\r\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := mustScan(t, "GET / HTTP/"+c.version+"\r\nHost: a\r\n"+c.fields+"\r\n")
			if got := r.KeepAlive(); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

func TestRequest_reads(t *testing.T) {
	const asks = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	webSocket := func(r *Request) bool { return r.WebSocket }
	tcp := func(r *Request) bool { return r.AsksFor("tcp") }
	toWebSocket := func(r *Request) bool { return r.AsksFor("websocket") }
	trailers := func(r *Request) bool { return r.Trailers }
	waits := func(r *Request) bool { return r.Continue }
	for _, c := range []struct {
		name, raw string
		of        func(*Request) bool
		want      bool
	}{
		{"RFC6455_4_1_asks", get(asks), webSocket, true},
		{"RFC6455_4_1_anyCaseInList", get("Connection: keep-alive, UPGRADE\r\nUpgrade: WebSocket\r\n"), webSocket, true},
		{"RFC6455_4_1_notNamed", get("Upgrade: websocket\r\n"), webSocket, false},
		{"RFC6455_4_1_notGET", post(asks), webSocket, false},
		{"RFC6455_4_1_in10", "GET / HTTP/1.0\r\n" + asks + "\r\n", webSocket, false},
		{"RFC6455_4_1_withBody", get(asks + "Content-Length: 1\r\n"), webSocket, false},
		{"RFC6455_4_1_withChunks", get(asks + "Transfer-Encoding: chunked\r\n"), webSocket, false},
		{"RFC9110_7_8_h2c", get("Connection: Upgrade\r\nUpgrade: h2c\r\n"), webSocket, false},
		{"RFC9110_7_8_twoProtocols", get("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"), webSocket, false},
		{"RFC9110_7_8_twoLines", get(asks + "Upgrade: h2c\r\n"), webSocket, false},
		{"RFC9110_7_8_twoLinesSame", get(asks + "Upgrade: websocket\r\n"), webSocket, false},
		{"RFC9110_7_8_version", get("Connection: Upgrade\r\nUpgrade: websocket/13\r\n"), webSocket, false},
		{"RFC9110_7_8_asks", get("Connection: Upgrade\r\nUpgrade: tcp\r\n"), tcp, true},
		{"RFC9110_7_8_anyCase", get("Connection: Upgrade\r\nUpgrade: TCP\r\n"), tcp, true},
		{"RFC9110_7_8_anyMethod", post("Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 1\r\n"), tcp, true},
		{"RFC9110_7_8_notHEAD", "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n", tcp, false},
		{"RFC9110_7_8_notNamed", get("Upgrade: tcp\r\n"), tcp, false},
		{"RFC9110_7_8_in10", "GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n", tcp, false},
		{"RFC9110_7_8_list", get("Connection: Upgrade\r\nUpgrade: tcp, h2c\r\n"), tcp, false},
		{"RFC9110_7_8_emptyElement", get("Connection: Upgrade\r\nUpgrade: tcp,\r\n"), tcp, false},
		{"RFC9110_7_8_empty", get("Connection: Upgrade\r\nUpgrade:\r\n"), tcp, false},
		{"RFC6455_4_1_webSocketByPOST", post(asks), toWebSocket, false},
		{"RFC9110_10_1_4_trailers", get("TE: trailers\r\n"), trailers, true},
		{"RFC9110_10_1_4_inList", get("TE: deflate;q=0.5 , Trailers\r\n"), trailers, true},
		{"RFC9110_10_1_4_secondLine", get("TE: gzip\r\nTE: trailers\r\n"), trailers, true},
		{"RFC9110_10_1_4_weightIsNotForTrailers", get("TE: trailers;q=1\r\n"), trailers, false},
		{"RFC9110_10_1_4_in10", "GET / HTTP/1.0\r\nTE: trailers\r\n\r\n", trailers, false},
		{"RFC9110_10_1_4_other", get("TE: gzip\r\nTrailer: trailers\r\n"), trailers, false},
		{"RFC9110_10_1_1_waits", post("Expect: 100-continue\r\nContent-Length: 5\r\n"), waits, true},
		{"RFC9110_10_1_1_waitsWithChunks", post("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"), waits, true},
		{"RFC9110_10_1_1_noBody", post("Expect: 100-continue\r\n"), waits, false},
		{"RFC9110_10_1_1_emptyBody", post("Expect: 100-continue\r\nContent-Length: 0\r\n"), waits, false},
		{"RFC9110_10_1_1_in10", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", waits, false},
		{"RFC9110_9_3_2_head", line("HEAD / HTTP/1.1"), (*Request).IsHead, true},
		{"RFC9110_9_1_headLowerIsNotHead", line("head / HTTP/1.1"), (*Request).IsHead, false},
		{"RFC9110_9_2_2_put", line("PUT / HTTP/1.1"), (*Request).Idempotent, true},
		{"RFC9110_9_2_2_post", line("POST / HTTP/1.1"), (*Request).Idempotent, false},
		{"RFC9110_9_2_2_patch", line("PATCH / HTTP/1.1"), (*Request).Idempotent, false},
		{"RFC9110_9_2_2_unknown", line("get / HTTP/1.1"), (*Request).Idempotent, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.of(mustScan(t, c.raw)); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

func TestRequest_Scan_leavesBodyAndNextRequest(t *testing.T) {
	const body = "hello"
	raw := "\r\n" + post("Content-Length: 5\r\n") + body + get("")
	r := mustScan(t, raw)
	rest := raw[r.Len():]
	if got, want := rest, body+get(""); got != want {
		t.Fatalf("got %q left, want %q", got, want)
	}
	r.Reset()
	if done, err := r.Scan([]byte(rest[len(body):]), usual); !done || err != nil {
		t.Fatalf("second request: got %t, %v", done, err)
	}
	if got := string(r.Method); got != "GET" || r.HasBody() || r.ContentLength() != -1 || len(r.Fields()) != 1 {
		t.Errorf("something of the first request is left: %s", describeRequest(r, nil))
	}
}

func TestRequest_AppendKept_wholeLinesInOrder(t *testing.T) {
	r := mustScan(t, post("A: 1\r\nConnection: B\r\nB: 2\r\nX_Y: 3\r\nC:4\r\nd:  5 \r\nKeep-Alive: 1\r\nE:\r\nContent-Length: 0\r\n"))
	var keep [32]bool
	keep[Other], keep[ContentLength] = true, true
	for _, c := range []struct{ cut, want string }{
		{"", "-A: 1\r\nC:4\r\nd:  5 \r\nE:\r\nContent-Length: 0\r\n"},
		{"C", "-A: 1\r\nd:  5 \r\nE:\r\nContent-Length: 0\r\n"},
		{"A", "-d:  5 \r\nE:\r\nContent-Length: 0\r\n"},
		{"A", "-d:  5 \r\nE:\r\nContent-Length: 0\r\n"}, // Cut twice is cut.
		{"Content-Length", "-d:  5 \r\nE:\r\n"},
	} {
		for i := range r.Fields() {
			if f := &r.Fields()[i]; string(r.Name(f)) == c.cut {
				f.Cut = true
			}
		}
		if got := string(r.AppendKept([]byte("-"), &keep)); got != c.want {
			t.Errorf("without %q: got %q, want %q", c.cut, got, c.want)
		}
	}
	if got := r.AppendKept(nil, new([32]bool)); len(got) != 0 {
		t.Errorf("nothing kept: got %q", got)
	}
}

func TestRequest_Scan_allocatesNothing(t *testing.T) {
	for _, raw := range []string{browserHead, curlHead, wrkHead, "GET http://[::1]:80/a%20b HTTP/1.1\r\nHost: [::1]:80\r\nConnection: x, close\r\nX: 1\r\n\r\n"} {
		b := []byte(raw)
		var r Request
		got := testing.AllocsPerRun(100, func() {
			r.Reset()
			_, _ = r.Scan(b[:len(b)/2], usual)
			if done, err := r.Scan(b, usual); !done || err != nil {
				t.Fatal(done, err)
			}
		})
		if got != 0 {
			t.Errorf("%.40q: got %v allocations, want 0", raw, got)
		}
	}
}

func TestKind_classify(t *testing.T) {
	for name, want := range map[string]Kind{
		"Host": Host, "hOST": Host, "Hosts": Other, "Content-Length": ContentLength,
		"Transfer-Encoding": TransferEncoding, "Connection": Connection, "Keep-Alive": HopByHop,
		"Proxy-Connection": HopByHop, "Proxy-Authorization": HopByHop, "Proxy-Authenticate": HopByHop,
		"HTTP2-Settings": HopByHop, "Proxy": HopByHop, "TE": TE, "Trailer": Trailer, "Upgrade": Upgrade,
		"Expect": Expect, "X-Forwarded-For": ForwardedFor, "x-forwarded-proto": ForwardedProto,
		"X-Forwarded-Host": ForwardedHost, "X-Forwarded-Port": ForwardedPort, "X-Forwarded-Server": ForwardedOther,
		"X-Forwarded-": Other, "Forwarded": ForwardedOther, "X-Real-IP": ForwardedOther, "X-Request-ID": RequestID,
		"X-Request-Start": RequestStart, "User-Agent": UserAgent, "Content-Type": ContentType,
		"Sec-WebSocket-Key": SecWebSocketKey, "Cookie": Other,
		"Content_Length": Ambiguous, "X_Anything": Underscored, "X_Real_IP": Ambiguous, "HTTP2_Settings": Ambiguous, "Content.Length": Ambiguous,
		"Transfer~Encoding": Ambiguous, "X.Forwarded-For": Ambiguous, "X-Forwarded.Prefix": Ambiguous,
		"grpc.trace": Other, "X!": Other, strings.Repeat("x.", 100): Other, strings.Repeat("x.", 100) + "_": Underscored,
		"X_Forwarded_" + strings.Repeat("x", 100): Ambiguous, "_": Underscored, "X-Forwarded-_": Ambiguous,
		"Content-Length'": Ambiguous, "Content--Length": Ambiguous, "-transfer-encoding": Ambiguous,
		"Content1Length": Ambiguous, "Transfer.!Encoding9": Ambiguous, "ContentLength": Other,
		"X-Content-Length": Other, "Content-Lengths": Other, "Content-Length-Range": Other, "Transfer-Encodin": Other,
	} {
		var odd bool
		for i := range len(name) {
			odd = odd || class[name[i]]&classOdd != 0
		}
		if got := classify([]byte(name), odd); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
}

func TestEqualFold_foldsLettersOnly(t *testing.T) {
	const known = "abcdefghijklmnopqrstuvwxyz0123456789-"
	for c := 0x20; c < 256; c++ {
		for i := range len(known) {
			want := strings.EqualFold(string([]byte{byte(c)}), known[i:i+1])
			if got := equalFold([]byte{byte(c)}, known[i:i+1]); got != want {
				t.Errorf("%#x and %q: got %t, want %t", c, known[i], got, want)
			}
		}
	}
}

func TestValidValue_agreesWithEveryByteAlone(t *testing.T) {
	for n := range 20 {
		for at := range n {
			for c := range 256 {
				v := bytes.Repeat([]byte{'\t'}, n)
				v[at] = byte(c)
				if got, want := validValue(v), isValue(byte(c)); got != want {
					t.Fatalf("%q: got %t, want %t", v, got, want)
				}
			}
		}
	}
}
