package dial

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/textproto"
)

func newFixedBody(l *lane, from *bufio.Reader, length int64) *requestBody {
	return &requestBody{Reader: &fixedReader{from, length}, lane: l, done: make(chan struct{})}
}

func newChunkedBody(l *lane, from *bufio.Reader, req *http.Request) *requestBody {
	req.Trailer = http.Header{} // to be filled once the body has ended; else none would go out
	r := &chunkedReader{from: from, chunks: httputil.NewChunkedReader(from), trailer: req.Trailer}
	return &requestBody{Reader: r, lane: l, done: make(chan struct{})}
}

// fixedReader reads a body of known length.
type fixedReader struct {
	from *bufio.Reader
	left int64
}

func (r *fixedReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.from.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if r.left > 0 && err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// chunkedReader reads a chunked body, and then its trailer fields.
type chunkedReader struct {
	from    *bufio.Reader
	chunks  io.Reader
	trailer http.Header
	ended   bool
}

func (r *chunkedReader) Read(p []byte) (int, error) {
	if r.ended {
		return 0, io.EOF
	}
	n, err := r.chunks.Read(p)
	if err != io.EOF {
		return n, err
	}
	fields, err := textproto.NewReader(r.from).ReadMIMEHeader()
	if err != nil {
		return n, err
	}
	maps.Copy(r.trailer, fields)
	r.ended = true
	return n, io.EOF
}
