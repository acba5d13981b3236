// Package api holds what is said over the control socket, kept in the state
// file and typed at proxyctl: the requests, the answers, their defaults and
// their validation, and the client of the control socket.
//
// It imports the standard library only and never logs, so that proxyctl links
// nothing of the data plane.
package api
