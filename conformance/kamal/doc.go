// Package kamal holds a proxy with kamal-proxy's command line against what Kamal 2
// and its users rely on, and against the faults that kamal-proxy v0.9.2 was seen to
// have. The tests see nothing but commands, requests and targets, so that they run
// against any such program:
//
//	KAMAL_PROXY_BIN=/usr/local/bin/kamal-proxy go test ./conformance/kamal
//
// Without the variable they build and try our own.
package kamal
