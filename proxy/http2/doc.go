// Package http2 follows the frames of an HTTP/2 connection (RFC 9113 §4) without
// taking part in it: which streams are open, where the other side's frames end, and
// whether the client asks for more work than requests are worth. It has no sockets
// and decodes no fields; net/http speaks the protocol.
package http2
