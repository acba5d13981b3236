package dial

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// passInterim passes an answer with status 1xx on. It is called while no other stream
// of the connection is read, and must not wait.
func (x *stream) passInterim(status int, header textproto.MIMEHeader) error {
	if x.interim.Add(1) > mostInterim || !x.pipe.down.force(appendHead(nil, status, http.Header(header), "")) {
		return errFlood
	}
	return nil
}

// passAnswer writes the answer as it comes. What it returns is how the pipe ends:
// io.EOF behind a complete answer.
func (x *stream) passAnswer(req *http.Request, res *http.Response) error {
	framing, chunked := frame(req, res)
	if chunked && len(res.Trailer) > 0 { // net/http has taken the field out
		framing += "Trailer: " + strings.Join(slices.Sorted(maps.Keys(res.Trailer)), ", ") + "\r\n"
	}
	if err := x.send(appendHead(nil, res.StatusCode, res.Header, framing)); err != nil {
		return err
	}
	if err := x.passBody(res.Body, chunked); err != nil {
		return err
	}
	if !chunked {
		return io.EOF
	}
	b := appendFields([]byte("0\r\n"), res.Trailer)
	if err := x.send(append(b, "\r\n"...)); err != nil {
		return err
	}
	return io.EOF
}

// frame is the line that frames the answer, and whether it comes in chunks. An answer
// that has trailer fields, or may have, has to; one whose head ended the stream says
// that there is no body, which gRPC wants to be told from one without messages.
func frame(req *http.Request, res *http.Response) (line string, chunked bool) {
	length := ""
	if n := res.ContentLength; n >= 0 {
		length = "Content-Length: " + strconv.FormatInt(n, 10) + "\r\n"
	}
	switch {
	case res.StatusCode == http.StatusNoContent:
		return "", false
	case req.Method == http.MethodHead, res.StatusCode == http.StatusNotModified:
		if res.Header["Content-Length"] == nil {
			length = ""
		}
		return length, false
	case res.ContentLength == 0:
		return length, false
	case length != "" && len(res.Trailer) == 0 && !isGRPC(res.Header):
		return length, false
	}
	return "Transfer-Encoding: chunked\r\n", true
}

func isGRPC(header http.Header) bool {
	return strings.HasPrefix(header.Get("Content-Type"), "application/grpc")
}

// The room in front of a chunk's data and behind it, in one buffer.
const (
	chunkFront = len("0000\r\n")
	chunkBack  = len("\r\n")
	pieceSize  = 16<<10 - chunkFront - chunkBack
)

var pieces = sync.Pool{New: func() any { return new([chunkFront + pieceSize + chunkBack]byte) }}

// passBody passes every piece on as it comes.
func (x *stream) passBody(body io.Reader, chunked bool) error {
	buf := pieces.Get().(*[chunkFront + pieceSize + chunkBack]byte)
	defer pieces.Put(buf)
	for {
		n, err := body.Read(buf[chunkFront : chunkFront+pieceSize])
		if n > 0 {
			piece := buf[chunkFront : chunkFront+n]
			if chunked {
				putHex(buf[:4], n)
				buf[4], buf[5] = '\r', '\n'
				piece = append(buf[:chunkFront+n], "\r\n"...)
			}
			if err := x.send(piece); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return x.failure(err)
		}
	}
}

func putHex(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
}

func (x *stream) send(b []byte) error {
	_, err := x.pipe.down.write(b)
	return err
}

// appendHead writes a head. The connection is not kept: another exchange has another
// stream.
func appendHead(b []byte, status int, header http.Header, framing string) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	b = append(b, "\r\n"...)
	b = appendFields(b, header)
	if status >= 200 {
		b = append(b, framing...)
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...)
}

// appendFields writes fields in the order of their names, but for those that belong to
// the connection, which HTTP/2 does not have.
func appendFields(b []byte, header http.Header) []byte {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		switch name {
		case "Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade":
			continue
		}
		for _, value := range header[name] {
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, value...)
			b = append(b, "\r\n"...)
		}
	}
	return b
}

// The ways in which a stream ends early.
var (
	errReset  = &Error{text: "stream was ended by the target"}
	errFlood  = errors.New("too many interim responses")
	errBroken = &Error{text: "defect in HTTP/2"}
)

// UnprocessedError is the error of a request that the target says, or that is known, not
// to have been looked at: it can be sent again, whatever it is.
type UnprocessedError struct{ text string }

// Error says how that is known.
func (e *UnprocessedError) Error() string { return e.text }

// streamError is net/http's own type, which it lets be seen through errors.As by one
// with the same fields.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "stream error" }

const codeRefused = 7 // RFC 9113 §7: REFUSED_STREAM, nothing was processed

// goneAway is what net/http says of a stream that the target's GOAWAY excludes (RFC
// 9113 §6.8). It exports no value to compare with; a test holds the words.
const goneAway = "http2: Transport received Server's graceful shutdown GOAWAY"

// failure says why there is no answer, or no more of it.
func (x *stream) failure(err error) error {
	var reset streamError
	switch {
	case x.ctx.Err() != nil:
		return errLeft
	case !x.wrote.Load():
		return &UnprocessedError{"connection was closed before the request went out"}
	case errors.As(err, &reset) && reset.Code == codeRefused:
		return &UnprocessedError{"stream was refused"}
	case errors.As(err, &reset):
		return &Error{text: "stream was reset: " + codeName(reset.Code), err: errReset}
	case err.Error() == goneAway:
		return &UnprocessedError{"target is going away"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{text: "connection closed in the middle", err: err}
	}
	return &Error{text: strings.TrimPrefix(plainCause(err).Error(), "http2: "), err: err}
}

// codes are the names of RFC 9113 §7.
var codes = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

func codeName(code uint32) string {
	if int64(code) < int64(len(codes)) {
		return codes[code]
	}
	return strconv.FormatUint(uint64(code), 10)
}
