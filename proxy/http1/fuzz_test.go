package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// forwarded is what a proxy keeps of a head.
var forwarded = func() (keep [32]bool) {
	for _, k := range []Kind{
		Other, Host, ContentLength, TransferEncoding, UserAgent, ContentType, Expect, Trailer,
		ForwardedFor, ForwardedProto, ForwardedHost, ForwardedPort, RequestID, RequestStart, SecWebSocketKey,
	} {
		keep[k] = true
	}
	return keep
}()

func FuzzRequest_Scan(f *testing.F) {
	for i, v := range append(requestVerdicts, targetVerdicts...) {
		f.Add([]byte(v.raw), uint(i))
	}
	for _, raw := range append(requestStreams, browserHead, curlHead) {
		f.Add([]byte(raw), uint(20))
	}
	f.Fuzz(func(t *testing.T, raw []byte, cut uint) {
		var r Request
		err := scanRequest(&r, bytes.Clone(raw))
		want := describeRequest(&r, err)
		for _, grown := range splits(raw, cut) {
			var s Request
			if got := describeRequest(&s, scanRequest(&s, grown...)); got != want {
				t.Fatalf("in %d pieces:\ngot  %s\nwant %s", len(grown), got, want)
			}
		}
		if err != nil {
			return
		}
		requestReads(t, &r, raw)
		keep := forwarded
		keep[Host] = !r.Absolute
		lines := r.AppendKept(nil, &keep)
		if r.Absolute {
			lines = append(lines, "Host: "+string(r.Host)+"\r\n"...)
		}
		first := string(r.Method) + " " + string(r.Target) + " HTTP/1.1"
		if !requestLine.MatchString(first) {
			t.Fatalf("passes on request line %q", first)
		}
		wholeLines(t, raw, r.AppendKept(nil, &keep))
		sameFraming(t, lines, &r.head)
		if r.Minor == 0 && len(r.Host) == 0 {
			return
		}
		agreesWithNetHTTP(t, &r, first+"\r\n"+string(lines)+"\r\n")
	})
}

// agreesWithNetHTTP compares framing and host with a parser of other authors,
// where that one accepts the message at all.
func agreesWithNetHTTP(t *testing.T, r *Request, head string) {
	t.Helper()
	other, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		return
	}
	if other.Method != string(r.Method) || other.RequestURI != string(r.Target) {
		t.Fatalf("net/http read %s %s from %q", other.Method, other.RequestURI, head)
	}
	// A target such as "//x" looks like an authority to net/http.
	if other.Host != string(r.Host) && !strings.HasPrefix(string(r.Target), "//") {
		t.Fatalf("net/http read host %q, want %q, from %q", other.Host, r.Host, head)
	}
	length := max(r.ContentLength(), 0)
	if r.Chunked() {
		length = -1
	}
	if other.ContentLength != length {
		t.Fatalf("net/http read length %d, want %d, from %q", other.ContentLength, length, head)
	}
}

func FuzzResponse_Scan(f *testing.F) {
	for i, v := range responseVerdicts {
		f.Add([]byte(v.raw), uint(i))
	}
	for _, raw := range append(responseStreams, railsHead) {
		f.Add([]byte(raw), uint(50))
	}
	f.Fuzz(func(t *testing.T, raw []byte, cut uint) {
		var r Response
		err := scanResponse(&r, bytes.Clone(raw))
		want := describeResponse(&r, err)
		for _, grown := range splits(raw, cut) {
			var s Response
			if got := describeResponse(&s, scanResponse(&s, grown...)); got != want {
				t.Fatalf("in %d pieces:\ngot  %s\nwant %s", len(grown), got, want)
			}
		}
		if err != nil {
			return
		}
		responseReads(t, &r, raw, false)
		responseReads(t, &r, raw, true)
		lines := r.AppendKept(nil, &forwarded)
		wholeLines(t, raw, lines)
		sameFraming(t, lines, &r.head)
		head := "HTTP/1.1 " + strconv.Itoa(r.Status) + " " + string(r.Reason) + "\r\n" + string(lines) + "\r\n"
		other, httpErr := http.ReadResponse(bufio.NewReader(strings.NewReader(head)), nil)
		if httpErr != nil {
			return
		}
		_ = other.Body.Close()
		length := map[Body]int64{NoBody: 0, Fixed: r.ContentLength(), Chunked: -1, UntilClose: -1}[r.Body(false)]
		if other.StatusCode != r.Status || r.Status != 304 && other.ContentLength != length {
			t.Fatalf("net/http read %d and length %d, want %d and %d, from %q", other.StatusCode, other.ContentLength, r.Status, length, head)
		}
	})
}

func FuzzChunks_Walk(f *testing.F) {
	for i, v := range chunkVerdicts {
		f.Add([]byte(v.raw), i%2 == 0, uint(i))
	}
	f.Fuzz(func(t *testing.T, raw []byte, bare bool, cut uint) {
		whole := walkChunks(bare, bytes.Clone(raw))
		cut %= uint(len(raw) + 1)
		if got := walkChunks(bare, bytes.Clone(raw[:cut]), bytes.Clone(raw[cut:])); !got.equal(whole) {
			t.Fatalf("cut at %d:\ngot  %s\nwant %s", cut, got, whole)
		}
		if len(raw) <= 1024 {
			if got := walkChunks(bare, bytes.SplitAfter(bytes.Clone(raw), nil)...); !got.equal(whole) {
				t.Fatalf("byte by byte:\ngot  %s\nwant %s", got, whole)
			}
		}
		if whole.err != nil {
			return
		}
		agreesWithNaive(t, string(raw), whole)
		if bare {
			return
		}
		data, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(whole.out)))
		if want := walkChunks(true, bytes.Clone(raw)).out; err != nil || !bytes.Equal(data, want) {
			t.Fatalf("net/http read %q (%v), want %q, from %q", data, err, want, whole.out)
		}
		if again := walkChunks(false, bytes.Clone(whole.out)); again.err != nil || !bytes.Equal(again.out, whole.out) {
			t.Fatalf("walked twice: got %s, want %q", again, whole.out)
		}
	})
}

// splits returns raw as it may arrive: in two pieces, and byte by byte, each
// time in a buffer of its own.
func splits(raw []byte, cut uint) [][][]byte {
	two := [][]byte{bytes.Clone(raw[:cut%uint(len(raw)+1)]), bytes.Clone(raw)}
	if len(raw) > 1024 {
		return [][][]byte{two}
	}
	var bytewise [][]byte
	for i := range raw {
		bytewise = append(bytewise, bytes.Clone(raw[:i+1]))
	}
	return [][][]byte{two, bytewise}
}

// The grammar once more, as RFC 9112 §3 and RFC 9110 §5 write it.
var (
	requestLine = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+ (/[!-~]*|\\*) HTTP/1\\.1$")
	fieldLine   = regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?-s:[!-~\\x80-\\xff](?:[ \t]*[!-~\\x80-\\xff])*)?)[ \t]*$")
)

// wholeLines checks that kept is made of lines of raw, in their order.
func wholeLines(t *testing.T, raw, kept []byte) {
	t.Helper()
	if len(kept) > 0 && !bytes.HasSuffix(kept, []byte("\r\n")) {
		t.Fatalf("kept an unfinished line: %q", kept)
	}
	lines := strings.SplitAfter(string(raw), "\r\n")
	for k := range strings.SplitAfterSeq(string(kept), "\r\n") {
		i := slices.Index(lines, k)
		if i < 0 && k != "" {
			t.Fatalf("kept %q, which is no next line of %q", k, raw)
		}
		lines = lines[i+1:]
	}
}

// sameFraming reads field lines strictly, and compares how they frame the body.
func sameFraming(t *testing.T, lines []byte, h *head) {
	t.Helper()
	length, chunked, hosts := int64(-1), false, 0
	for line := range strings.SplitSeq(strings.TrimSuffix(string(lines), "\r\n"), "\r\n") {
		if line == "" {
			continue
		}
		m := fieldLine.FindSubmatch(latin1(line))
		if m == nil {
			t.Fatalf("passes on field line %q", line)
		}
		value := string(m[2])
		switch strings.ToLower(string(m[1])) {
		case "content-length":
			n, err := strconv.ParseUint(value, 10, 63)
			if err != nil || length >= 0 || chunked {
				t.Fatalf("passes on framing %q in %q", line, lines)
			}
			length = int64(n)
		case "transfer-encoding":
			if !strings.EqualFold(value, "chunked") || length >= 0 || chunked {
				t.Fatalf("passes on framing %q in %q", line, lines)
			}
			chunked = true
		case "host":
			if hosts++; hosts > 1 {
				t.Fatalf("passes on two hosts in %q", lines)
			}
		case "content_length", "transfer_encoding", "keep-alive", "proxy-connection":
			t.Fatalf("passes on %q", line)
		}
	}
	if length != h.ContentLength() || chunked != h.Chunked() {
		t.Fatalf("read length %d, chunked %t; want %d, %t; from %q", length, chunked, h.ContentLength(), h.Chunked(), lines)
	}
}

// latin1 makes every byte a rune, so that a regular expression sees bytes.
func latin1(s string) []byte {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return []byte(string(runes))
}
