// Package http1 scans and judges HTTP/1.1 messages. It is sans-IO: pure
// functions and small state machines over byte slices, without sockets, clocks
// or allocation, so that it can be fuzzed, tested from tables, and driven by a
// goroutine or an event loop alike.
//
// It is strict: what is not exactly RFC 9112 is an error with the status to
// answer, and is never repaired and passed on. A scanned head keeps offsets
// into the caller's buffer; its lines can be copied onward in order and case.
//
// It does not decide where a message goes, and it does not know what a proxy
// adds to one.
package http1
