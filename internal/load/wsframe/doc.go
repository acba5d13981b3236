// Package wsframe reads and writes single WebSocket frames (RFC 6455 §5): just
// enough for a load generator and a test target that send unfragmented
// messages, and strict, so that a damaged tunnel is noticed.
//
// It knows nothing of handshakes but the accept key.
package wsframe
