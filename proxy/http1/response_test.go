package http1

import (
	"fmt"
	"strings"
	"testing"
)

// answer is a response of status 200 with these fields.
func answer(fields string) string { return "HTTP/1.1 200 OK\r\n" + fields + "\r\n" }

var responseVerdicts = []verdict{
	{"RFC9112_4_usual", answer("Content-Length: 5\r\n"), nil},
	{"RFC9112_4_noReason", "HTTP/1.1 200 \r\n\r\n", nil},
	{"RFC9112_4_noSpaceNoReason", "HTTP/1.1 200\r\n\r\n", nil},
	{"RFC9112_4_reasonBytes", "HTTP/1.1 200 \tNa \xc3\xaf ja\r\n\r\n", nil},
	{"RFC9112_4_reasonNUL", "HTTP/1.1 200 O\x00K\r\n\r\n", ErrStatusLine},
	{"RFC9112_4_reasonCR", "HTTP/1.1 200 O\rK\r\n\r\n", ErrStatusLine},
	{"RFC9112_4_reasonDEL", "HTTP/1.1 200 OK and so on \x7f\r\n\r\n", ErrStatusLine},
	{"RFC9112_4_tabAfterStatus", "HTTP/1.1 200\tOK\r\n\r\n", ErrStatusLine},
	{"RFC9112_4_twoDigits", "HTTP/1.1 20 OK\r\n\r\n", ErrStatusLine},
	{"RFC9112_4_fourDigits", "HTTP/1.1 2000 OK\r\n\r\n", ErrStatusLine},
	{"RFC9112_4_noStatus", "HTTP/1.1\r\n\r\n", ErrStatusLine},
	{"RFC9112_4_twoSpaces", "HTTP/1.1  200 OK\r\n\r\n", ErrStatusLine},
	{"RFC9112_4_signed", "HTTP/1.1 +20 OK\r\n\r\n", ErrStatusLine},
	{"RFC9112_4_letters", "HTTP/1.1 2xx OK\r\n\r\n", ErrStatusLine},
	{"RFC9110_15_000", "HTTP/1.1 000 X\r\n\r\n", ErrStatusLine},
	{"RFC9110_15_099", "HTTP/1.1 099 X\r\n\r\n", ErrStatusLine},
	{"RFC9110_15_100", "HTTP/1.1 100 X\r\n\r\n", nil},
	{"RFC9110_15_199", "HTTP/1.1 199 X\r\n\r\n", nil},
	{"RFC9110_15_599", "HTTP/1.1 599 X\r\n\r\n", nil},
	{"RFC9110_15_600", "HTTP/1.1 600 X\r\n\r\n", ErrStatusLine},
	{"RFC9110_15_999", "HTTP/1.1 999 X\r\n\r\n", ErrStatusLine},

	{"RFC9112_2_3_http10", "HTTP/1.0 200 OK\r\n\r\n", nil},
	{"RFC9112_2_3_http12", "HTTP/1.2 200 OK\r\n\r\n", nil},
	{"RFC9112_2_3_http99", "HTTP/9.9 200 OK\r\n\r\n", ErrStatusLine},
	{"RFC9112_2_3_http2", "HTTP/2 200\r\n\r\n", ErrStatusLine},
	{"RFC9112_2_3_minorLetter", "HTTP/1.x 200 OK\r\n\r\n", ErrStatusLine},
	{"RFC9112_2_3_lower", "http/1.1 200 OK\r\n\r\n", ErrStatusLine},
	{"RFC9112_2_3_http09", "<html>\r\n", ErrStatusLine},
	{"RFC9112_2_3_iceCast", "ICY 200 OK\r\n\r\n", ErrStatusLine},
	{"RFC9112_2_3_TLSAlert", "\x15\x03\x01\x00\x02\x02\x46", ErrStatusLine},

	{"RFC9112_2_2_emptyLineBefore", "\r\n" + answer(""), ErrStatusLine},
	{"RFC9112_2_2_LFBefore", "\n" + answer(""), ErrStatusLine},
	{"RFC9112_2_2_statusLineEndsInLF", "HTTP/1.1 200 OK\n\r\n", ErrStatusLine},
	{"RFC9112_2_2_fieldEndsInLF", answer("A: b\n"), ErrBareLF},
	{"RFC9112_2_2_headEndsInLF", "HTTP/1.1 200 OK\r\n\n", ErrBareLF},
	{"RFC9112_2_2_bareCR", answer("A: b\rC: d\r\n"), ErrFieldValue},
	{"RFC9112_2_2_unfinished", "HTTP/1.1 200 OK\r\nA: b\r\n", errUnfinished},
	{"RFC9112_5_1_spaceBeforeColon", answer("Content-Length : 5\r\n"), ErrFieldName},
	{"RFC9112_5_2_fold", answer("A: b\r\n c\r\n"), ErrFold},
	{"RFC9112_5_2_foldAtFirst", answer(" A: b\r\n"), ErrFold},
	{"RFC9110_5_5_NUL", answer("A: b\x00\r\n"), ErrFieldValue},

	{"RFC9112_6_1_both", answer("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), ErrFramingBoth},
	{"RFC9112_6_1_codingIn10", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ErrCodingIn10},
	{"RFC9112_6_1_gzipChunked", answer("Transfer-Encoding: gzip, chunked\r\n"), ErrCodingUnknown},
	{"RFC9112_6_3_gzip", answer("Transfer-Encoding: gzip\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_chunkedTwice", answer("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), ErrTransferCoding},
	{"RFC9112_6_3_lengthList", answer("Content-Length: 5, 5\r\n"), ErrContentLength},
	{"RFC9112_6_3_lengthTwice", answer("Content-Length: 5\r\nContent-Length: 5\r\n"), ErrContentLength},
	{"RFC9112_6_3_lengthBad", answer("Content-Length: 5x\r\n"), ErrContentLength},
	{"RFC9112_6_3_badFramingOf204", "HTTP/1.1 204 X\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", ErrFramingBoth},
	{"RFC9112_6_3_badFramingOf304", "HTTP/1.1 304 X\r\nContent-Length: 5, 6\r\n\r\n", ErrContentLength},

	{"RFC6585_5_manyFields", answer(strings.Repeat("A: b\r\n", 101)), ErrTooManyFields},
	{"RFC6585_5_longField", answer("A: " + strings.Repeat("b", 2048) + "\r\n"), ErrHeadTooLarge},
	{"RFC6585_5_longReason", "HTTP/1.1 200 " + strings.Repeat("b", 2048) + "\r\n\r\n", ErrHeadTooLarge},
	{"RFC6585_5_longBadReason", "HTTP/1.1 200 " + strings.Repeat("\x01", 2048) + "\r\n\r\n", ErrHeadTooLarge},
	{"RFC6585_5_longGarbage", strings.Repeat("b", 4096), ErrStatusLine},
}

func TestResponse_Scan(t *testing.T) {
	for _, v := range responseVerdicts {
		t.Run(v.name, func(t *testing.T) {
			var whole Response
			got := scanResponse(&whole, []byte(v.raw))
			if got != v.want {
				t.Fatalf("%q: got %v, want %v", v.raw, got, v.want)
			}
			everySplit(t, v.raw, describeResponse(&whole, got), func(pieces ...[]byte) string {
				var r Response
				err := scanResponse(&r, pieces...)
				return describeResponse(&r, err)
			})
		})
	}
}

func scanResponse(r *Response, grown ...[]byte) *Error {
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

func describeResponse(r *Response, err *Error) string {
	if err != nil {
		return err.Reason
	}
	return fmt.Sprintf("%d %q minor=%d interim=%t ws=%t tcp=%t ka=%t body=%d/%d %s", r.Status, r.Reason, r.Minor,
		r.Interim(), r.SwitchesTo("websocket"), r.SwitchesTo("tcp"), r.KeepAlive(), r.Body(false), r.Body(true), describeHead(&r.head))
}

func mustScanResponse(t *testing.T, raw string) *Response {
	t.Helper()
	r := new(Response)
	r.Reset()
	if done, err := r.Scan([]byte(raw), usual); !done || err != nil {
		t.Fatalf("%q: got %t, %v", raw, done, err)
	}
	return r
}

func TestResponse_RFC9112_6_3_bodyLength(t *testing.T) {
	const length, chunks = "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"
	for _, c := range []struct {
		name, status, fields string
		toHead               bool
		want                 Body
	}{
		{"length", "200", length, false, Fixed},
		{"lengthZero", "200", "Content-Length: 0\r\n", false, NoBody},
		{"chunked", "200", chunks, false, Chunked},
		{"neither", "200", "", false, UntilClose},
		{"errorWithLength", "500", length, false, Fixed},
		{"205WithLength", "205", length, false, Fixed},
		{"1_headLength", "200", length, true, NoBody},
		{"1_headChunked", "200", chunks, true, NoBody},
		{"1_headNeither", "200", "", true, NoBody},
		{"1_204", "204", "", false, NoBody},
		{"1_204Length", "204", length, false, NoBody},
		{"1_204Chunked", "204", chunks, false, NoBody},
		{"1_304Length", "304", length, false, NoBody},
		{"1_304Chunked", "304", chunks, false, NoBody},
		{"1_304Neither", "304", "", false, NoBody},
		{"1_100", "100", "", false, NoBody},
		{"1_103Length", "103", length, false, NoBody},
		{"1_101", "101", chunks, false, NoBody},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := mustScanResponse(t, "HTTP/1.1 "+c.status+" X\r\n"+c.fields+"\r\n")
			if got := r.Body(c.toHead); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestResponse_MayFollow(t *testing.T) {
	const length, empty, chunks = "Content-Length: 5\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n"
	for _, c := range []struct {
		status, fields string
		toHead, want   bool
	}{
		{"200", length, true, true},
		{"200", chunks, true, true},
		{"200", "", true, true},
		{"200", empty, true, false},
		{"304", length, true, false},
		{"204", "", true, false},
		{"204", length, true, true},
		{"204", length, false, true},
		{"204", empty, false, false},
		{"304", length, false, false},
		{"304", chunks, false, true},
		{"200", length, false, false},
	} {
		r := mustScanResponse(t, "HTTP/1.1 "+c.status+" X\r\n"+c.fields+"\r\n")
		if got := r.MayFollow(c.toHead); got != c.want {
			t.Errorf("%s with %q, to HEAD %t: got %t, want %t", c.status, c.fields, c.toHead, got, c.want)
		}
	}
}

func TestResponse_RFC9110_8_6_framingOfWhatHasNoBodyIsCut(t *testing.T) {
	var keep [32]bool
	for i := range keep {
		keep[i] = true
	}
	for _, c := range []struct{ status, fields, want string }{
		{"100", "Content-Length: 0\r\nA: b\r\n", "A: b\r\n"},
		{"101", "Transfer-Encoding: chunked\r\nUpgrade: websocket\r\n", "Upgrade: websocket\r\n"},
		{"204", "A: b\r\nContent-Length: 5\r\n", "A: b\r\n"},
		{"204", "Transfer-Encoding: chunked\r\n", ""},
		{"304", "Content-Length: 5\r\n", "Content-Length: 5\r\n"}, // Says what a 200 would have.
		{"200", "Content-Length: 5\r\n", "Content-Length: 5\r\n"},
	} {
		r := mustScanResponse(t, "HTTP/1.1 "+c.status+" X\r\n"+c.fields+"\r\n")
		if got := string(r.AppendKept(nil, &keep)); got != c.want {
			t.Errorf("%s with %q: got %q, want %q", c.status, c.fields, got, c.want)
		}
		if c.want != c.fields && (r.Chunked() || r.ContentLength() >= 0) {
			t.Errorf("%s with %q: got framing %t, %d", c.status, c.fields, r.Chunked(), r.ContentLength())
		}
	}
}

func TestResponse_reads(t *testing.T) {
	const switches = "HTTP/1.1 101 Switching Protocols\r\n"
	toWebSocket := func(r *Response) bool { return r.SwitchesTo("websocket") }
	toTCP := func(r *Response) bool { return r.SwitchesTo("tcp") }
	for _, c := range []struct {
		name, raw string
		of        func(*Response) bool
		want      bool
	}{
		{"RFC9110_15_2_continue", "HTTP/1.1 100 Continue\r\n\r\n", (*Response).Interim, true},
		{"RFC9110_15_2_earlyHints", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", (*Response).Interim, true},
		{"RFC9110_15_2_2_switching", switches + "\r\n", (*Response).Interim, false},
		{"RFC9110_15_3_ok", answer(""), (*Response).Interim, false},
		{"RFC6455_4_2_2_switches", switches + "Connection: upgrade\r\nUpgrade: WebSocket\r\n\r\n", toWebSocket, true},
		{"RFC6455_4_2_2_notNamed", switches + "Upgrade: websocket\r\n\r\n", toWebSocket, false},
		{"RFC6455_4_2_2_h2c", switches + "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n", toWebSocket, false},
		{"RFC6455_4_2_2_twoProtocols", switches + "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n", toWebSocket, false},
		{"RFC6455_4_2_2_not101", answer("Connection: upgrade\r\nUpgrade: websocket\r\n"), toWebSocket, false},
		{"RFC9110_7_8_in10", "HTTP/1.0 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", toWebSocket, false},
		{"RFC9110_7_8_list", switches + "Connection: upgrade\r\nUpgrade: websocket, tcp\r\n\r\n", toTCP, false},
		{"RFC9110_7_8_anyCase", switches + "Connection: upgrade\r\nUpgrade: TCP\r\n\r\n", toTCP, true},
		{"RFC9110_7_8_another", switches + "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", toTCP, false},
		{"RFC9112_9_3_11", answer(""), (*Response).KeepAlive, true},
		{"RFC9112_9_3_11Close", answer("Connection: Foo, CLOSE\r\n"), (*Response).KeepAlive, false},
		{"RFC9112_9_3_10", "HTTP/1.0 200 OK\r\n\r\n", (*Response).KeepAlive, false},
		{"RFC9112_9_3_10KeepAlive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", (*Response).KeepAlive, true},
		{"RFC9112_9_3_10Both", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", (*Response).KeepAlive, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.of(mustScanResponse(t, c.raw)); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

func TestResponse_RFC9112_4_reason(t *testing.T) {
	for raw, want := range map[string]string{
		"HTTP/1.1 404 Not Found\r\n\r\n": "Not Found", "HTTP/1.1 404 \r\n\r\n": "", "HTTP/1.1 404\r\n\r\n": "",
	} {
		r := mustScanResponse(t, raw)
		if got := string(r.Reason); got != want || r.Status != 404 {
			t.Errorf("%q: got %d %q, want 404 %q", raw, r.Status, got, want)
		}
	}
}

func TestResponse_RFC9110_7_6_1_cutsNamedFields(t *testing.T) {
	r := mustScanResponse(t, answer("X-Hop: 1\r\nConnection: x-hop, content-length\r\nContent-Length: 5\r\n"))
	if got, want := []bool{r.Fields()[0].Cut, r.Fields()[2].Cut}, []bool{true, false}; got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestResponse_Reset_forgets(t *testing.T) {
	r := mustScanResponse(t, "HTTP/1.0 101 X\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\n")
	r.Reset()
	if done, err := r.Scan([]byte(answer("")), usual); !done || err != nil {
		t.Fatal(done, err)
	}
	if got, want := describeResponse(r, nil), describeResponse(mustScanResponse(t, answer("")), nil); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestResponse_Scan_allocatesNothing(t *testing.T) {
	b := []byte(railsHead)
	var r Response
	got := testing.AllocsPerRun(100, func() {
		r.Reset()
		_, _ = r.Scan(b[:len(b)/2], usual)
		if done, err := r.Scan(b, usual); !done || err != nil {
			t.Fatal(done, err)
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}
