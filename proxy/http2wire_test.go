package proxy

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2wire is a client of HTTP/2 that is scripted by the frame.
type h2wire struct {
	t      *testing.T
	conn   net.Conn
	framer *http2.Framer
	fields bytes.Buffer
	coder  *hpack.Encoder
}

// h2wire connects, and says what a client says first.
func (r *rig) h2wire(settings ...http2.Setting) *h2wire {
	r.t.Helper()
	return newH2Wire(r.t, r.dial(), settings...)
}

func newH2Wire(t *testing.T, conn net.Conn, settings ...http2.Setting) *h2wire {
	t.Helper()
	w := &h2wire{t: t, conn: conn, framer: http2.NewFramer(conn, conn)}
	w.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	w.framer.AllowIllegalWrites = true
	w.coder = hpack.NewEncoder(&w.fields)
	w.must(io.WriteString(conn, http2.ClientPreface))
	w.ok(w.framer.WriteSettings(settings...))
	return w
}

func (w *h2wire) must(_ int, err error) { w.t.Helper(); w.ok(err) }

func (w *h2wire) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("send: %v", err)
	}
}

// encode makes a block of "name: value" lines.
func (w *h2wire) encode(lines ...string) []byte {
	w.fields.Reset()
	for _, line := range lines {
		at := strings.Index(line[1:], ":") + 1
		_ = w.coder.WriteField(hpack.HeaderField{Name: line[:at], Value: strings.TrimPrefix(line[at+1:], " ")})
	}
	return bytes.Clone(w.fields.Bytes())
}

// headers opens a stream, or ends one with trailers.
func (w *h2wire) headers(stream uint32, end bool, lines ...string) {
	w.t.Helper()
	w.ok(w.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: w.encode(lines...), EndStream: end, EndHeaders: true,
	}))
}

// get opens a stream with a request that has no body.
func (w *h2wire) get(stream uint32, path string, more ...string) {
	w.t.Helper()
	w.headers(stream, true, append([]string{":method: GET", ":scheme: http", ":path: " + path, ":authority: a.example"}, more...)...)
}

func (w *h2wire) data(stream uint32, end bool, body string) {
	w.t.Helper()
	w.ok(w.framer.WriteData(stream, end, []byte(body)))
}

// next returns the next frame that is about more than the connection itself.
func (w *h2wire) next() http2.Frame {
	w.t.Helper()
	_ = w.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		f, err := w.framer.ReadFrame()
		if err != nil {
			w.t.Fatalf("read frame: %v", err)
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				w.ok(w.framer.WriteSettingsAck())
			}
		case *http2.WindowUpdateFrame, *http2.PingFrame:
		default:
			return f
		}
	}
}

// h2answer is what came on one stream.
type h2answer struct {
	status  string
	interim []string
	header  map[string]string
	body    string
	trailer map[string]string
	reset   *http2.ErrCode // the stream was reset; NO_ERROR behind a complete answer
	whole   bool
	goAway  bool
}

// answer reads until the stream has ended.
func (w *h2wire) answer(stream uint32) (a h2answer) {
	w.t.Helper()
	for {
		switch f := w.next().(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID != stream {
				continue
			}
			a.take(f)
			if f.StreamEnded() {
				a.whole = true
				return a
			}
		case *http2.DataFrame:
			if f.StreamID != stream {
				continue
			}
			a.body += string(f.Data())
			if f.StreamEnded() {
				a.whole = true
				return a
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				code := f.ErrCode
				a.reset = &code
				return a
			}
		case *http2.GoAwayFrame:
			a.goAway = true
		}
	}
}

func (a *h2answer) take(f *http2.MetaHeadersFrame) {
	lines := map[string]string{}
	for _, field := range f.RegularFields() {
		if old, ok := lines[field.Name]; ok {
			field.Value = old + "|" + field.Value
		}
		lines[field.Name] = field.Value
	}
	switch status := f.PseudoValue("status"); {
	case status == "":
		a.trailer = lines
	case status[0] == '1':
		a.interim = append(a.interim, status+" "+lines["link"])
	default:
		a.status, a.header = status, lines
	}
}

// ended reads until the connection ends, and returns the code of the last GOAWAY.
func (w *h2wire) ended() (code http2.ErrCode, said bool) {
	w.t.Helper()
	_ = w.conn.SetReadDeadline(time.Now().Add(15 * time.Second))
	for {
		f, err := w.framer.ReadFrame()
		if err != nil {
			if timedOut(err) {
				w.t.Fatal("the connection did not end")
			}
			return code, said
		}
		if f, ok := f.(*http2.GoAwayFrame); ok {
			code, said = f.ErrCode, true
		}
	}
}
