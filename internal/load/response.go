package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	maxLine = 8 << 10
	maxBody = 64 << 20
)

// response is the head of an answer, judged.
type response struct {
	status  int
	fields  map[string]string // by lower-case name; repeated ones joined by ", "
	length  int               // -1: chunked
	closing bool              // Connection: close was announced
}

// readHead reads a status line and fields, strictly: RFC 9112, no repairs.
func readHead(r *bufio.Reader) (*response, error) {
	line, err := readLine(r)
	if err != nil {
		return nil, fmt.Errorf("read status line: %w", err)
	}
	head := &response{fields: map[string]string{}, length: -1}
	version, rest, _ := strings.Cut(line, " ")
	code, _, found := strings.Cut(rest, " ")
	head.status, err = strconv.Atoi(code)
	if version != "HTTP/1.1" || !found || err != nil || len(code) != 3 {
		return nil, fmt.Errorf("read status line: %q is not one of HTTP/1.1", line)
	}
	for range 1000 {
		line, err = readLine(r)
		if err != nil {
			return nil, fmt.Errorf("read head: %w", unexpected(err))
		}
		if line == "" {
			return head, head.judgeFraming()
		}
		name, value, found := strings.Cut(line, ":")
		if !found || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("read head: bad field line %q", line)
		}
		name, value = strings.ToLower(name), strings.Trim(value, " \t")
		if before, repeated := head.fields[name]; repeated {
			value = before + ", " + value
		}
		head.fields[name] = value
	}
	return nil, errors.New("read head: more than 1000 fields")
}

func (h *response) judgeFraming() error {
	for option := range strings.SplitSeq(h.fields["connection"], ",") {
		if strings.EqualFold(strings.TrimSpace(option), "close") {
			h.closing = true
		}
	}
	coding, chunked := h.fields["transfer-encoding"]
	length, sized := h.fields["content-length"]
	switch {
	case h.status == 101:
		h.length = 0
		return nil
	case h.status < 200:
		return fmt.Errorf("judge head: interim answer %d that nobody asked for", h.status)
	case chunked && sized:
		return errors.New("judge head: both Transfer-Encoding and Content-Length")
	case chunked:
		if coding != "chunked" {
			return fmt.Errorf("judge head: Transfer-Encoding %q", coding)
		}
		return nil
	case !sized:
		return errors.New("judge head: neither Content-Length nor chunked: a cut body would look whole")
	}
	n, err := strconv.ParseUint(length, 10, 31)
	if err != nil || n > maxBody {
		return fmt.Errorf("judge head: Content-Length %q", length)
	}
	h.length = int(n)
	return nil
}

// readBody reads exactly the announced body. onData is called when the first
// byte of it has arrived.
func readBody(r *bufio.Reader, head *response, onData func()) ([]byte, error) {
	if head.length < 0 {
		return readChunks(r, onData)
	}
	if head.length == 0 {
		return nil, nil
	}
	_, _ = r.Peek(1) // an error comes back from the read below
	onData()
	body := make([]byte, head.length)
	if n, err := io.ReadFull(r, body); err != nil {
		return body[:n], fmt.Errorf("read body: %d of %d bytes: %w", n, head.length, unexpected(err))
	}
	return body, nil
}

func readChunks(r *bufio.Reader, onData func()) ([]byte, error) {
	var body bytes.Buffer
	for {
		line, err := readLine(r)
		if err != nil {
			return body.Bytes(), fmt.Errorf("read chunk size after %d bytes: %w", body.Len(), unexpected(err))
		}
		size, err := strconv.ParseUint(line, 16, 31)
		if err != nil || line[0] == '+' || body.Len()+int(size) > maxBody {
			return body.Bytes(), fmt.Errorf("read chunk size after %d bytes: bad size %q", body.Len(), line)
		}
		if size > 0 {
			if n, err := io.CopyN(&body, r, int64(size)); err != nil {
				return body.Bytes(), fmt.Errorf("read chunk: %d of %d bytes: %w", n, size, unexpected(err))
			}
			onData()
		}
		// The line end of a chunk, or the empty trailer section of the last one.
		end, err := readLine(r)
		if err != nil {
			return body.Bytes(), fmt.Errorf("read chunk end: %w", unexpected(err))
		}
		if end != "" {
			return body.Bytes(), fmt.Errorf("read chunk end: surplus bytes %q", end)
		}
		if size == 0 {
			return body.Bytes(), nil
		}
	}
}

// readLine reads up to CRLF and returns the line without it; a bare LF is wrong.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || len(line) > maxLine:
		return "", fmt.Errorf("line longer than %d bytes", maxLine)
	case errors.Is(err, io.EOF) && len(line) > 0:
		return "", fmt.Errorf("cut within line %q: %w", line, io.ErrUnexpectedEOF)
	case err != nil:
		return "", err
	case len(line) < 2 || line[len(line)-2] != '\r':
		return "", fmt.Errorf("line %q ends without CRLF", line)
	}
	return string(line[:len(line)-2]), nil
}

// unexpected makes of an end where more must come what it is.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
