package http1

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// hello is a body with this chunk-size line.
func hello(sizeLine string) string { return sizeLine + "\r\nhello\r\n0\r\n\r\n" }

// trailer is a body with this trailer section.
func trailer(lines string) string { return "5\r\nhello\r\n0\r\n" + lines + "\r\n" }

var chunkVerdicts = []verdict{
	{"RFC9112_7_1_oneChunk", hello("5"), nil},
	{"RFC9112_7_1_empty", "0\r\n\r\n", nil},
	{"RFC9112_7_1_chunks", "5\r\nhello\r\nA\r\n0123456789\r\n1\r\n\r\r\n00\r\n\r\n", nil},
	{"RFC9112_7_1_dataLikeFraming", "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", nil},
	{"RFC9112_7_1_surplus", hello("5") + "GET / HTTP/1.1\r\n", nil},
	{"RFC9112_7_1_surplusLineEnd", hello("5") + "\r\n", nil},
	{"RFC9112_7_1_upperAndLower", "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", nil},
	{"RFC9112_7_1_leadingZeros", hello(strings.Repeat("0", 40) + "5"), nil},
	{"RFC9112_7_1_onlyZeros", "5\r\nhello\r\n" + strings.Repeat("0", 40) + "\r\n\r\n", nil},
	{"RFC9112_7_1_zerosWithoutEnd", strings.Repeat("0", 5000), ErrChunkExt},
	{"RFC9112_7_1_zerosPastLimit", strings.Repeat("0", 5000) + "\r\n\r\n", ErrChunkExt},
	{"RFC9112_7_1_15Digits", "fffffffffffffff\r\nx", errUnfinished},
	{"RFC9112_7_1_16Digits", "1000000000000005\r\nhello", ErrChunkSize},
	{"RFC9112_7_1_wraps64", hello("10000000000000005"), ErrChunkSize},
	{"RFC9112_7_1_allOnes", hello("ffffffffffffffff"), ErrChunkSize},
	{"RFC9112_7_1_prefix0x", hello("0x5"), ErrChunkSize},
	{"RFC9112_7_1_plus", hello("+5"), ErrChunkSize},
	{"RFC9112_7_1_minus", hello("-5"), ErrChunkSize},
	{"RFC9112_7_1_underscore", hello("0_5"), ErrChunkSize},
	{"RFC9112_7_1_dot", hello("5.0"), ErrChunkSize},
	{"RFC9112_7_1_spaceBefore", hello(" 5"), ErrChunkSize},
	{"RFC9112_7_1_spaceAfter", hello("5 "), ErrChunkExt},
	{"RFC9112_7_1_tabAfter", hello("5\t"), ErrChunkExt},
	{"RFC9112_7_1_noDigits", hello(""), ErrChunkSize},
	{"RFC9112_7_1_extensionOnly", hello(";a"), ErrChunkSize},
	{"RFC9112_7_1_notHex", hello("g"), ErrChunkSize},
	{"RFC9112_7_1_thenNotHex", hello("5g"), ErrChunkSize},
	{"RFC9112_7_1_NUL", hello("5\x00"), ErrChunkSize},
	{"RFC9112_7_1_obsText", hello("5\xa0"), ErrChunkSize},
	{"RFC9112_7_1_comma", hello("5,5"), ErrChunkSize},
	{"RFC9112_7_1_sizeEndsInLF", "5\nhello\r\n0\r\n\r\n", ErrChunkSize},
	{"RFC9112_7_1_sizeEndsInCR", "5\rhello\r\n0\r\n\r\n", ErrChunkExt},
	{"RFC9112_7_1_sizeEndsInCRThenLF", "5\rhello\n0\r\n\r\n", ErrChunkSize},
	{"RFC9112_7_1_sizeEndsInCRCRLF", "5\r\r\nhello\r\n0\r\n\r\n", ErrChunkExt},
	{"RFC9112_7_1_lastEndsInLF", "5\r\nhello\r\n0\n\r\n", ErrChunkSize},
	{"RFC9112_7_1_bodyEndsInLF", "5\r\nhello\r\n0\r\n\n", ErrTrailer},
	{"RFC9112_7_1_allLF", "5\nhello\n0\n\n", ErrChunkSize},
	{"RFC9112_7_1_dataTooLong", "4\r\nhello\r\n0\r\n\r\n", ErrChunkData},
	{"RFC9112_7_1_dataTooShort", "6\r\nhello\r\n0\r\n\r\n", ErrChunkData},
	{"RFC9112_7_1_dataEndsInLF", "5\r\nhello\n0\r\n\r\n", ErrChunkData},
	{"RFC9112_7_1_dataEndsInCR", "5\r\nhello\r0\r\n\r\n", ErrChunkData},
	{"RFC9112_7_1_dataEndsInTwoBytes", "5\r\nhelloXX0\r\n\r\n", ErrChunkData},
	{"RFC9112_7_1_dataEndsInNothing", "5\r\nhello0\r\n\r\n", ErrChunkData},
	{"RFC9112_7_1_unfinishedSize", "5", errUnfinished},
	{"RFC9112_7_1_unfinishedData", "5\r\nhel", errUnfinished},
	{"RFC9112_7_1_unfinishedEnd", "5\r\nhello\r", errUnfinished},
	{"RFC9112_7_1_unfinishedTrailer", "0\r\nA: b\r\n\r", errUnfinished},

	{"RFC9112_7_1_1_extensions", hello(`5;a=b;c="d e";f`), nil},
	{"RFC9112_7_1_1_onLast", "0;x=y\r\n\r\n", nil},
	{"RFC9112_7_1_1_badWhiteSpace", hello("5 ; a =\tb ;c"), nil},
	{"RFC9112_7_1_1_quoted", hello("5;a=\"\\\"\\\\;\t\xff \""), nil},
	{"RFC9112_7_1_1_nameEmpty", hello("5;"), ErrChunkExt},
	{"RFC9112_7_1_1_nameEmptyWithValue", hello("5;=a"), ErrChunkExt},
	{"RFC9112_7_1_1_valueEmpty", hello("5;a="), ErrChunkExt},
	{"RFC9112_7_1_1_trailingSpace", hello("5;a "), ErrChunkExt},
	{"RFC9112_7_1_1_twoSemicolons", hello("5;;a"), ErrChunkExt},
	{"RFC9112_7_1_1_noSemicolon", hello("5 a=b"), ErrChunkExt},
	{"RFC9112_7_1_1_twoValues", hello("5;a=b=c"), ErrChunkExt},
	{"RFC9112_7_1_1_CR", hello("5;a\rx"), ErrChunkExt},
	{"RFC9112_7_1_1_LF", hello("5;a\nx"), ErrChunkSize},
	{"RFC9112_7_1_1_LFHidesData", "2;\nxx\r\n4c\r\n0\r\n\r\nGET /c HTTP/1.1\r\n\r\n", ErrChunkSize},
	{"RFC9112_7_1_1_NUL", hello("5;a=\"\x00\""), ErrChunkExt},
	{"RFC9112_7_1_1_quoteOpen", hello(`5;a="`), ErrChunkExt},
	{"RFC9112_7_1_1_quoteOpenEscaped", hello(`5;a="\"`), ErrChunkExt},
	{"RFC9112_7_1_1_quoteEscapesEnd", hello(`5;a="\`), ErrChunkExt},
	{"RFC9112_7_1_1_quoteTail", hello(`5;a="b"c`), ErrChunkExt},
	{"RFC9112_7_1_1_long", hello("5;" + strings.Repeat("a", 4000)), nil},
	{"RFC9112_7_1_1_tooLong", hello("5;" + strings.Repeat("a", 5000)), ErrChunkExt},
	{"RFC9112_7_1_1_withoutEnd", "5;" + strings.Repeat("a", 5000), ErrChunkExt},

	{"RFC9112_7_1_2_trailer", trailer("X-T: 1\r\nETag:\r\n"), nil},
	{"RFC9112_7_1_2_framing", trailer("Content-Length: 50\r\nTransfer-Encoding: chunked\r\nHost: evil\r\n"), nil},
	{"RFC9112_7_1_2_badName", trailer("Bad Name: x\r\n"), ErrTrailer},
	{"RFC9112_7_1_2_spaceBeforeColon", trailer("X : x\r\n"), ErrTrailer},
	{"RFC9112_7_1_2_nameEmpty", trailer(": x\r\n"), ErrTrailer},
	{"RFC9112_7_1_2_noColon", trailer("foo\r\n"), ErrTrailer},
	{"RFC9112_7_1_2_fold", trailer("X: y\r\n z\r\n"), ErrTrailer},
	{"RFC9112_7_1_2_NUL", trailer("X: y\x00\r\n"), ErrTrailer},
	{"RFC9112_7_1_2_CR", trailer("X: y\rZ: a\r\n"), ErrTrailer},
	{"RFC9112_7_1_2_LF", trailer("X: y\n"), ErrTrailer},
	{"RFC9112_7_1_2_nextRequest", trailer("GET / HTTP/1.1\r\n"), ErrTrailer},
	{"RFC6585_5_trailersAtLimit", trailer("X: " + strings.Repeat("y", maxTrailerBytes-7) + "\r\n"), nil},
	{"RFC6585_5_trailersTooLarge", trailer("X: " + strings.Repeat("y", maxTrailerBytes-6) + "\r\n"), ErrTrailerSize},
	{"RFC6585_5_manyTrailers", trailer(strings.Repeat("X: y\r\n", maxTrailerBytes/6+1)), ErrTrailerSize},
	{"RFC6585_5_trailerWithoutEnd", "0\r\nX: " + strings.Repeat("y", maxTrailerBytes), ErrTrailerSize},
}

func TestChunks_Walk(t *testing.T) {
	for _, v := range chunkVerdicts {
		for _, bare := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/bare=%t", v.name, bare), func(t *testing.T) {
				whole := walkChunks(bare, []byte(v.raw))
				if whole.err != v.want {
					t.Fatalf("%.80q: got %v, want %v", v.raw, whole.err, v.want)
				}
				if whole.err == nil {
					agreesWithNaive(t, v.raw, whole)
				}
				step := stepFor(v.raw)
				for i := 0; i < len(v.raw); i += step {
					if got := walkChunks(bare, []byte(v.raw[:i]), []byte(v.raw[i:])); !got.equal(whole) {
						t.Fatalf("cut at %d of %.80q:\ngot  %s\nwant %s", i, v.raw, got, whole)
					}
				}
				if got := walkChunks(bare, slices.Collect(slices.Chunk([]byte(v.raw), step))...); !got.equal(whole) {
					t.Fatalf("byte by byte %.80q:\ngot  %s\nwant %s", v.raw, got, whole)
				}
			})
		}
	}
}

// walked is what came of a body.
type walked struct {
	out, left []byte // passed on, and behind the body
	size      int64
	bare      bool
	err       *Error
}

func (w walked) String() string {
	return fmt.Sprintf("%v, size %d, out %.200q, left %.200q", w.err, w.size, w.out, w.left)
}

// equal leaves out what a refused body had passed on before.
func (w walked) equal(v walked) bool {
	if w.err != v.err {
		return false
	}
	if w.err != nil && w.err != errUnfinished {
		return true
	}
	return w.size == v.size && bytes.Equal(w.out, v.out) && bytes.Equal(w.left, v.left)
}

// walkChunks walks a body that arrives in pieces, as a caller with one buffer
// does: what is not used stays in front of what comes next.
func walkChunks(bare bool, pieces ...[]byte) walked {
	c := Chunks{Bare: bare}
	w := walked{bare: bare, err: errUnfinished}
	var rest []byte
	for _, p := range pieces {
		buf := append(append(make([]byte, 0, len(rest)+len(p)), rest...), p...)
		if c.Done() {
			rest = buf
			continue
		}
		keep, used, err := c.Walk(buf)
		if keep < 0 || keep > used || used > len(buf) {
			panic(fmt.Sprintf("kept %d of %d used of %d", keep, used, len(buf)))
		}
		w.out = append(w.out, buf[:keep]...)
		rest = buf[used:]
		if err != nil {
			w.err = err
			break
		}
	}
	w.left, w.size = rest, c.Size
	if c.Done() {
		w.err = nil
	}
	return w
}

// naive reads a well-formed chunked body and nothing else.
func naive(s string) (data, trailers, left string, ok bool) {
	for {
		line, rest, found := strings.Cut(s, "\r\n")
		digits, _, _ := strings.Cut(line, ";")
		size, err := strconv.ParseUint(strings.TrimRight(digits, " \t"), 16, 64)
		if !found || err != nil {
			return "", "", "", false
		}
		if size == 0 {
			s = rest
			break
		}
		if uint64(len(rest)) < size+2 || rest[size:size+2] != "\r\n" {
			return "", "", "", false
		}
		data, s = data+rest[:size], rest[size+2:]
	}
	for {
		line, rest, found := strings.Cut(s, "\r\n")
		if !found {
			return "", "", "", false
		}
		if line == "" {
			return data, trailers, rest, true
		}
		trailers, s = trailers+line+"\r\n", rest
	}
}

// agreesWithNaive reads both sides of a walk with an independent parser.
func agreesWithNaive(t *testing.T, raw string, w walked) {
	t.Helper()
	data, _, left, ok := naive(raw)
	if !ok {
		t.Fatalf("accepted what is no chunked body: %.200q", raw)
	}
	if string(w.left) != left || w.size != int64(len(data)) {
		t.Fatalf("%.200q: got size %d, left %q; want %d, %q", raw, w.size, w.left, len(data), left)
	}
	if w.bare {
		if string(w.out) != data {
			t.Fatalf("%.200q: got data %q, want %q", raw, w.out, data)
		}
		return
	}
	passed, _, surplus, ok := naive(string(w.out))
	if !ok || passed != data || surplus != "" {
		t.Fatalf("%.200q: passed on %.200q, want a body of %.200q", raw, w.out, data)
	}
}

func TestChunks_Walk_passesOn(t *testing.T) {
	for _, c := range []struct{ name, raw, want, bare string }{
		{"asItCame", hello("5"), hello("5"), "hello"},
		{"RFC9112_7_1_1_noExtensions", "5;a=b\r\nhello\r\nA ;c\r\n0123456789\r\n0;x\r\n\r\n", "5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n", "hello0123456789"},
		{"RFC9112_7_1_noLeadingZeros", "0005\r\nhello\r\n000\r\n\r\n", hello("5"), "hello"},
		{"RFC9112_7_1_2_trailers", trailer("X-T: 1\r\nServer-Timing:a\r\n"), trailer("X-T: 1\r\nServer-Timing:a\r\n"), "hello"},
		{"RFC9110_6_5_1_framing", trailer("Content-Length: 9\r\nX-T: 1\r\ntransfer-ENCODING: chunked\r\nHost: b\r\nTE: x\r\nTrailer: x\r\nContent-Type: x\r\n"), trailer("X-T: 1\r\n"), "hello"},
		{"RFC9110_6_5_1_controls", trailer("Cache-Control: x\r\nExpect: x\r\nMax-Forwards: 1\r\nRange: x\r\nIf-Match: x\r\n"), trailer(""), "hello"},
		{"RFC9110_6_5_1_authenticates", trailer("Authorization: x\r\nCookie: x\r\nSet-Cookie: x\r\nProxy-Authorization: x\r\nWWW-Authenticate: x\r\n"), trailer(""), "hello"},
		{"RFC9110_6_5_1_ours", trailer("X-Forwarded-For: 6\r\nX-Real-IP: 6\r\nForwarded: 6\r\nX-Request-Id: 6\r\nConnection: x\r\nUpgrade: x\r\n"), trailer(""), "hello"},
		{"aliases", trailer("Content_Length: 1\r\nX_T: 1\r\nContent.Length: 1\r\nX.T: 1\r\n"), trailer("X.T: 1\r\n"), "hello"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := walkChunks(false, []byte(c.raw)); got.err != nil || string(got.out) != c.want {
				t.Errorf("got %s, want %q", got, c.want)
			}
			if got := walkChunks(true, []byte(c.raw)); got.err != nil || string(got.out) != c.bare {
				t.Errorf("bare: got %s, want %q", got, c.bare)
			}
		})
	}
}

func TestChunks_Walk_leavesSurplusUntouched(t *testing.T) {
	const next = "0\r\n\r\nGET / HTTP/1.1\r\n"
	b := []byte("5;ext=1\r\nhello\r\n0\r\nHost: a\r\n\r\n" + next)
	var c Chunks
	_, used, err := c.Walk(b)
	if err != nil || !c.Done() || string(b[used:]) != next {
		t.Fatalf("got %v, done %t, left %q; want %q", err, c.Done(), b[used:], next)
	}
	if keep, used, err := c.Walk(b[used:]); keep != 0 || used != 0 || err != nil {
		t.Errorf("walked on when done: kept %d, used %d, %v", keep, used, err)
	}
}

func TestChunks_Walk_passesDataOnAtOnce(t *testing.T) {
	var c Chunks
	b := []byte("5\r\nhel")
	if keep, used, err := c.Walk(b); keep != len(b) || used != len(b) || err != nil || c.Size != 3 {
		t.Errorf("got kept %d, used %d, size %d, %v; want all of %d", keep, used, c.Size, err, len(b))
	}
}

func TestChunks_Walk_RFC9112_7_1_1_boundsExtensionsOfBody(t *testing.T) {
	line := "1;" + strings.Repeat("a", 1000) + "\r\nx\r\n"
	if got := walkChunks(false, []byte(strings.Repeat(line, 16)+"0\r\n\r\n")); got.err != nil {
		t.Errorf("16 KB of extensions: got %v, want none", got.err)
	}
	if got := walkChunks(false, []byte(strings.Repeat(line, 17)+"0\r\n\r\n")); got.err != ErrChunkExt {
		t.Errorf("17 KB of extensions for 17 bytes: got %v, want %v", got.err, ErrChunkExt)
	}
	// A signature on every chunk is no more than the data.
	line = "400;signature=" + strings.Repeat("f", 64) + "\r\n" + strings.Repeat("x", 0x400) + "\r\n"
	if got := walkChunks(false, []byte(strings.Repeat(line, 1000)+"0\r\n\r\n")); got.err != nil || got.size != 1000<<10 {
		t.Errorf("signed chunks: got %v, size %d", got.err, got.size)
	}
}

func TestChunks_Walk_allocatesNothing(t *testing.T) {
	raw := []byte("5;a=\"b\"\r\nhello\r\n" + "400\r\n" + strings.Repeat("x", 0x400) + "\r\n0\r\nX-T: 1\r\nHost: a\r\n\r\n")
	b := make([]byte, len(raw))
	got := testing.AllocsPerRun(100, func() {
		var c Chunks
		copy(b, raw)
		if _, used, err := c.Walk(b); used != len(b) || err != nil || !c.Done() {
			t.Fatal(used, err)
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}
