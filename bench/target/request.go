package target

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
)

// request is what the head of a request asks for.
type request struct {
	size int    // of the head
	path string // without its query
	body int    // bytes that follow
	key  string // of a WebSocket handshake
	last bool   // the connection ends behind the answer
}

var (
	errIncomplete = errors.New("head is not complete")
	errMalformed  = errors.New("malformed head")

	headEnd       = []byte("\r\n\r\n")
	contentLength = []byte("content-length")
	webSocketKey  = []byte("sec-websocket-key")
	connection    = []byte("connection")
	closing       = []byte("close")
)

// parseRequest reads the head at the beginning of b.
func parseRequest(b []byte) (request, error) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		return request{}, errIncomplete
	}
	line, fields, _ := bytes.Cut(b[:end+2], []byte("\r\n"))
	_, rest, _ := bytes.Cut(line, []byte(" "))
	path, _, ok := bytes.Cut(rest, []byte(" "))
	if !ok {
		return request{}, errMalformed
	}
	path, _, _ = bytes.Cut(path, []byte("?"))
	r := request{size: end + len(headEnd), path: pathName(path)}
	for len(fields) > 0 {
		line, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		// Both names begin with a letter that few others begin with.
		switch line[0] | 0x20 {
		case 'c':
			if value, ok := fieldValue(line, contentLength); ok {
				for _, c := range value {
					r.body = r.body*10 + int(c-'0')
				}
			} else if value, ok := fieldValue(line, connection); ok {
				r.last = bytes.EqualFold(value, closing)
			}
		case 's':
			if value, ok := fieldValue(line, webSocketKey); ok {
				r.key = string(value)
			}
		}
	}
	return r, nil
}

// pathName is path as one of the constants below, without an allocation.
func pathName(path []byte) string {
	for _, known := range []string{pathSmall, path20K, path1M, pathEcho, pathEvents, pathServed} {
		if string(path) == known {
			return known
		}
	}
	return pathSmall
}

// The paths that do not answer as / does.
const (
	pathSmall  = "/"
	path20K    = "/20k"
	path1M     = "/1m"
	pathEcho   = "/echo"
	pathEvents = "/events"
	pathServed = "/served"
)

func fieldValue(line, name []byte) ([]byte, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || !bytes.EqualFold(line[:len(name)], name) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name)+1:]), true
}

// acceptKey answers the key of a handshake (RFC 6455 §4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
