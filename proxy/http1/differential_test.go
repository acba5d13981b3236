package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// reading is what a parser makes of the first message of a stream. Parsers of
// other authors may refuse what we accept; what they accept they must read alike,
// or one of the two can be led to see another message than the other.
type reading struct {
	start    string // method and target, or status and reason
	host     string
	minor    int
	length   int64  // announced: -1 in chunks, -2 not at all
	fields   string // in order
	close    bool
	body     string
	trailers string
	rest     string // where the next message starts
}

// The seeds that have bodies, with the next message behind them.
var (
	requestStreams = []string{
		post("Content-Length: 5\r\n") + "hello" + get(""),
		post("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n" + get(""),
		post("Transfer-Encoding: chunked\r\nTrailer: X-T\r\n") + "5;a=b\r\nhello\r\n0\r\nX-T: 1\r\nSet-Cookie: a\r\n\r\n" + get(""),
		post("Expect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n") + "abc",
		post("Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 4\r\n") + "--x\n" + get(""),
		"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na" + get(""),
		"GET http://b/%2F?x HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\nCookie: c\r\nPragma: no-cache\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nTE: trailers\r\nConnection: TE\r\n\r\n" + get(""),
		"GET //x/../%2e%2E HTTP/1.1\r\nHost: a.\r\nUser-Agent: a\r\nuser-agent: b\r\nX:\r\n\r\n",
	}
	responseStreams = []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nuntil the end",
		"HTTP/1.1 204 None\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 304 Not\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00",
	}
)

// ours is how this package reads a message whose head is h.
func ours(h *head, kind Body, raw []byte) (m reading, whole bool) {
	m.length = h.ContentLength()
	if m.length < 0 {
		m.length = -2
	}
	if h.Chunked() {
		m.length = -1
	}
	var fields []string
	for i := range h.Fields() {
		f := &h.Fields()[i]
		fields = append(fields, string(h.Name(f))+": "+string(h.Value(f)))
	}
	m.fields = strings.Join(fields, "\n")
	rest := raw[h.Len():]
	used := 0
	switch kind {
	case Fixed:
		if int64(len(rest)) < h.ContentLength() {
			return m, false
		}
		used = int(h.ContentLength())
		m.body = string(rest[:used])
	case UntilClose:
		used = len(rest)
		m.body = string(rest)
	case Chunked:
		var bare, framed Chunks
		bare.Bare = true
		b := bytes.Clone(rest)
		n, u, err := bare.Walk(b)
		if err != nil || !bare.Done() {
			return m, false
		}
		used, m.body = u, string(b[:n])
		b = bytes.Clone(rest)
		n, _, _ = framed.Walk(b)
		m.trailers = trailersOf(string(b[:n]))
	}
	m.rest = string(rest[used:])
	return m, true
}

// trailersOf returns the trailer lines of a walked body.
func trailersOf(walked string) string {
	for {
		line, rest, _ := strings.Cut(walked, "\r\n")
		if line == "0" {
			return mapLines(strings.TrimSuffix(rest, "\r\n"))
		}
		var size int
		_, _ = fmt.Sscanf(line, "%x", &size)
		walked = rest[size+2:]
	}
}

// mapLines brings field lines to the form that is left of them in a map: names in
// one case, sorted, each with its values in order.
func mapLines(lines string) string {
	h := http.Header{}
	for line := range strings.SplitSeq(strings.ReplaceAll(lines, "\r\n", "\n"), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Add(textproto.TrimString(name), textproto.TrimString(value))
		}
	}
	return headerLines(h)
}

// headerLines writes a header map as lines, without what net/http moves elsewhere.
func headerLines(h http.Header) string {
	h = h.Clone()
	if len(h["Pragma"]) > 0 {
		h.Del("Cache-Control") // it adds one for a Pragma
	}
	for _, moved := range []string{"Host", "Transfer-Encoding", "Trailer", "Content-Length"} {
		h.Del(moved)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if len(h[name]) == 0 {
			continue // a trailer field that was announced and not sent
		}
		fmt.Fprintf(&b, "%s: %q\n", name, h[name])
	}
	return b.String()
}

// keptTrailers is what of another parser's trailers we would pass on.
func keptTrailers(h http.Header) string {
	kept := http.Header{}
	for name, values := range h {
		if keep, _ := judgeTrailer([]byte(name + ":")); keep {
			kept[name] = values
		}
	}
	return headerLines(kept)
}

func sameReading(t *testing.T, who string, got, want reading, raw []byte) {
	t.Helper()
	if got != want {
		t.Fatalf("%s reads %q\nas   %+v,\nwant %+v", who, raw, got, want)
	}
}

// requestReads compares how others read the accepted request in raw.
func requestReads(t *testing.T, r *Request, raw []byte) {
	t.Helper()
	kind := NoBody
	switch {
	case r.Chunked():
		kind = Chunked
	case r.HasBody():
		kind = Fixed
	}
	want, whole := ours(&r.head, kind, raw)
	line, _, _ := strings.Cut(strings.TrimLeft(string(raw), "\r\n"), "\r\n")
	want.start = line[:strings.LastIndexByte(line, ' ')]
	want.host, want.minor, want.close = string(r.Host), r.Minor, !r.KeepAlive()
	if line[len(line)-1] > '1' {
		return // HTTP/1.2 is 1.1 to us, and each of them has its own idea
	}
	netHTTPRequest(t, r, raw, want, whole)
	fasthttpRequest(t, r, raw, want, whole)
}

func netHTTPRequest(t *testing.T, r *Request, raw []byte, want reading, whole bool) {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(raw))
	q, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	got := reading{start: q.Method + " " + q.RequestURI, host: q.Host, minor: q.ProtoMinor, length: q.ContentLength, close: q.Close}
	if len(q.TransferEncoding) == 0 && got.length == 0 && r.ContentLength() < 0 {
		got.length = -2
	}
	switch {
	case strings.HasPrefix(string(r.Target), "//") && !r.Absolute:
		got.host = want.host // such a target looks like an authority to it
	case r.Absolute && strings.Contains(want.host, "%"):
		got.host = url.PathEscape(got.host) // it decodes the authority
		want.host = got.host
	}
	got.fields, want.fields = headerLines(q.Header), mapLines(want.fields)
	if whole {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return
		}
		rest, _ := io.ReadAll(in)
		got.body, got.rest, got.trailers = string(body), string(rest), keptTrailers(q.Trailer)
	}
	sameReading(t, "net/http", got, want, raw)
}

func fasthttpRequest(t *testing.T, r *Request, raw []byte, want reading, whole bool) {
	t.Helper()
	in := bufio.NewReaderSize(bytes.NewReader(raw), max(len(raw), 16))
	var q fasthttp.Request
	q.Header.DisableNormalizing()
	if q.Header.Read(in) != nil {
		return
	}
	got := reading{length: int64(q.Header.ContentLength()), close: q.Header.ConnectionClose()}
	// The header's own RequestURI, for every other of its ways to the target cleans
	// the path (libraries read alike here only as long as nobody asks for URI).
	got.start = string(q.Header.Method()) + " " + string(q.Header.RequestURI())
	// Of an absolute target it leaves both standing: its Host is the field's.
	got.host = string(q.Header.Host())
	if r.Absolute {
		got.host = want.host
	}
	if q.Header.IsHTTP11() {
		got.minor = 1
	}
	got.fields = orderedFields(q.Header.AllInOrder())
	if got.length <= 0 && want.length <= 0 && !r.Chunked() {
		got.length = want.length // none and 0 are one to it
	}
	if whole {
		if q.ContinueReadBody(in, 0, false) != nil {
			return
		}
		rest, _ := io.ReadAll(in)
		got.body, got.rest = string(q.Body()), string(rest)
		want.trailers = "" // it refuses most, and keeps the others among the fields
	}
	sameReading(t, "fasthttp", got, want, raw)
}

func orderedFields(all func(yield func(name, value []byte) bool)) string {
	var fields []string
	for name, value := range all {
		fields = append(fields, string(name)+": "+string(value))
	}
	return strings.Join(fields, "\n")
}

// plainLines is mapLines without the fields that fasthttp keeps apart, one each: of
// several lines the last one counts for it, and it adds its own defaults.
func plainLines(lines string) string {
	var b strings.Builder
	for line := range strings.SplitAfterSeq(mapLines(lines), "\n") {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "Content-Type", "Content-Encoding", "Server", "Connection", "Date":
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}

// responseReads compares how others read the accepted response in raw.
func responseReads(t *testing.T, r *Response, raw []byte, toHead bool) {
	t.Helper()
	kind := r.Body(toHead)
	want, whole := ours(&r.head, kind, raw)
	want.start, want.minor = fmt.Sprint(r.Status, " ", string(r.Reason)), r.Minor
	if raw[7] > '1' {
		return
	}
	want.length, want.close = 0, false // as far as they matter, they show in the body
	if r.Status >= 200 && !r.KeepAlive() {
		want.close = true
	}
	if kind == UntilClose {
		want.close = true
	}
	netHTTPResponse(t, r, raw, want, whole, toHead)
	fasthttpResponse(t, r, raw, want, whole, toHead)
}

func netHTTPResponse(t *testing.T, r *Response, raw []byte, want reading, whole, toHead bool) {
	t.Helper()
	method := "GET"
	if toHead {
		method = "HEAD"
	}
	in := bufio.NewReader(bytes.NewReader(raw))
	q, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		return
	}
	defer func() { _ = q.Body.Close() }()
	got := reading{start: q.Status, minor: q.ProtoMinor, close: want.close}
	if r.Status >= 200 && r.Body(toHead) != NoBody {
		got.close = q.Close
	}
	// It keeps the spaces of the reason that it does not trim, and fills in a space.
	got.start, want.start = strings.TrimSpace(got.start), strings.TrimSpace(want.start)
	got.fields, want.fields = headerLines(q.Header), mapLines(want.fields)
	if whole {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return
		}
		rest, _ := io.ReadAll(in)
		got.body, got.rest, got.trailers = string(body), string(rest), keptTrailers(q.Trailer)
	}
	sameReading(t, "net/http", got, want, raw)
}

func fasthttpResponse(t *testing.T, r *Response, raw []byte, want reading, whole, toHead bool) {
	t.Helper()
	in := bufio.NewReaderSize(bytes.NewReader(raw), max(len(raw), 16))
	var q fasthttp.Response
	q.Header.DisableNormalizing()
	if q.Header.Read(in) != nil {
		return
	}
	got := reading{minor: want.minor, close: want.close}
	got.fields, want.fields = plainLines(orderedFields(q.Header.All())), plainLines(want.fields)
	got.start = fmt.Sprint(q.StatusCode(), " ", string(q.Header.StatusMessage()))
	got.start, want.start = strings.TrimSpace(got.start), strings.TrimSpace(want.start)
	if len(q.Header.StatusMessage()) == 0 || len(r.Reason) == 0 {
		got.start = want.start // it fills in the reason that is missing
	}
	if whole {
		if r.Body(toHead) != NoBody {
			if q.ReadBody(in, 0) != nil || r.Chunked() && q.Header.ReadTrailer(in) != nil {
				return
			}
		}
		rest, _ := io.ReadAll(in)
		got.body, got.rest = string(q.Body()), string(rest)
		want.trailers = ""
	}
	sameReading(t, "fasthttp", got, want, raw)
}
