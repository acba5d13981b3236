// Package proxyproto reads the header of the PROXY protocol, versions 1 and 2, with
// which a load balancer says for whom it opened a connection. It is sans-IO: bytes in,
// a header out. Whether a peer may say so is the caller's to decide, before it reads.
package proxyproto
