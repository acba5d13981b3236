package hostilesuite

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
)

// answer is a response as the client reads it, strictly after RFC 9112.
type answer struct {
	status   int
	line     string
	fields   []field
	body     []byte
	trailers []field
	close    bool // the sender says that it closes, or the body ends so
}

type field struct{ name, value string }

func (a *answer) has(name string) bool { return has(a.fields, name) }

func has(fields []field, name string) bool {
	for _, f := range fields {
		if strings.EqualFold(f.name, name) {
			return true
		}
	}
	return false
}

func (a *answer) value(name string) (all string) {
	for _, f := range a.fields {
		if strings.EqualFold(f.name, name) {
			all += f.value
		}
	}
	return all
}

// The bounds of what is read of an answer.
const (
	maxLine = 1 << 20
	maxBody = 64 << 20
)

// malformed is an error of the one who sent the answer: the proxy passed on, or
// made, what it must not.
type malformed struct{ what string }

func (m *malformed) Error() string { return m.what }

func bad(format string, args ...any) error { return &malformed{fmt.Sprintf(format, args...)} }

// readAnswer reads one response to a request of that method, interim ones too. The
// answer holds what was read when there is an error.
func readAnswer(r *bufio.Reader, method string) (*answer, error) {
	a := &answer{}
	if err := a.readHead(r); err != nil {
		return a, err
	}
	if method == "HEAD" || a.status < 200 || a.status == 204 || a.status == 304 {
		return a, nil
	}
	return a, a.readBody(r)
}

func (a *answer) readHead(r *bufio.Reader) (err error) {
	if a.line, err = readLine(r); err != nil {
		return err
	}
	version, rest, _ := strings.Cut(a.line, " ")
	code, _, _ := strings.Cut(rest, " ")
	a.status, err = strconv.Atoi(code)
	if err != nil || len(code) != 3 || version != "HTTP/1.1" && version != "HTTP/1.0" {
		return bad("status line %.60q", a.line)
	}
	a.close = version == "HTTP/1.0"
	a.fields, err = readFields(r)
	return err
}

// readLine reads a line that ends in CRLF, without it.
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		line = append(line, piece...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return string(line), ended(err, len(line) > 0)
		}
		if len(line) > maxLine {
			return "", bad("a line of more than %d bytes", maxLine)
		}
	}
	text, crlf := strings.CutSuffix(string(line), "\r\n")
	if !crlf {
		return text, bad("line %.60q ends in LF alone", line)
	}
	if i := strings.IndexAny(text, "\x00\r"); i >= 0 {
		return text, bad("line %.60q has a byte %#02x", text, text[i])
	}
	return text, nil
}

// ended keeps io.EOF for a connection that ended between two messages.
func ended(err error, inside bool) error {
	if inside && errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func readFields(r *bufio.Reader) (fields []field, err error) {
	for {
		line, err := readLine(r)
		if err != nil {
			return fields, ended(err, true)
		}
		if line == "" {
			return fields, nil
		}
		name, value, found := strings.Cut(line, ":")
		if !found || name == "" || strings.ContainsAny(name, " \t\"(),/:;<=>?@[\\]{}") || !printable(name) {
			return fields, bad("field line %.60q", line)
		}
		fields = append(fields, field{name, strings.Trim(value, " \t")})
	}
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// readBody is RFC 9112 §6.3 for what a response may have.
func (a *answer) readBody(r *bufio.Reader) (err error) {
	coding, length := strings.ToLower(a.value("Transfer-Encoding")), a.value("Content-Length")
	for option := range strings.SplitSeq(strings.ToLower(a.value("Connection")), ",") {
		a.close = a.close || strings.TrimSpace(option) == "close"
	}
	switch {
	case coding != "" && a.has("Content-Length"):
		return bad("Content-Length beside Transfer-Encoding")
	case strings.HasSuffix(coding, "chunked"):
		a.body, a.trailers, err = readChunks(r)
		return err
	case a.has("Content-Length"):
		n, err := strconv.ParseUint(length, 10, 63)
		if err != nil {
			return bad("Content-Length %q", length)
		}
		a.body, err = readUpTo(r, int64(n))
		if err == nil && uint64(len(a.body)) < n {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	a.close = true
	a.body, err = readUpTo(r, maxBody)
	return err
}

func readUpTo(r io.Reader, n int64) ([]byte, error) {
	var body bytes.Buffer
	_, err := io.Copy(&body, io.LimitReader(r, min(n, maxBody)))
	return body.Bytes(), err
}

func readChunks(r *bufio.Reader) (body []byte, trailers []field, err error) {
	for {
		line, err := readLine(r)
		if err != nil {
			return body, nil, ended(err, true)
		}
		text, _, _ := strings.Cut(line, ";")
		size, err := strconv.ParseUint(text, 16, 32)
		if err != nil {
			return body, nil, bad("chunk size %.60q", line)
		}
		if size == 0 {
			break
		}
		data, err := readUpTo(r, int64(size))
		body = append(body, data...)
		if err != nil || len(data) < int(size) {
			return body, nil, errors.Join(io.ErrUnexpectedEOF, err)
		}
		if end, err := readLine(r); err != nil || end != "" {
			if err == nil {
				err = bad("chunk does not end where its size says")
			}
			return body, nil, ended(err, true)
		}
	}
	trailers, err = readFields(r)
	return body, trailers, err
}

// how names the way in which a connection ended.
func how(err error) string {
	var m *malformed
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return "whole"
	case errors.As(err, &m):
		return "passed on: " + m.what
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "silent"
	}
	return err.Error()
}
