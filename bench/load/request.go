package load

import (
	"fmt"
	"strings"
)

// Get is a GET as a browser behind a CDN would send it, in small.
func Get(host, path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
}

// GetOnce is a GET that asks for the end of its connection.
func GetOnce(host, path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + host +
		"\r\nUser-Agent: bench\r\nAccept: */*\r\nConnection: close\r\n\r\n")
}

// Post is a POST of size bytes.
func Post(host, path string, size int) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n"+
		"Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s",
		path, host, size, strings.Repeat("x", size))
}

// Upgrade is the handshake of a WebSocket.
func Upgrade(host, path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
}

// Frame is a masked binary frame of up to 125 bytes; EchoOf is the size of it unmasked.
func Frame(size int) []byte {
	frame := append([]byte{0x82, 0x80 | byte(size)}, 0x11, 0x22, 0x33, 0x44)
	return append(frame, strings.Repeat("x", size)...)
}

// EchoOf is how many bytes an echo of Frame(size) has.
func EchoOf(size int) int { return 2 + size }
