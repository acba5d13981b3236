// Package wire is sockets without Go's poller: one thread, one epoll, and system
// calls that do not tell the scheduler. Load and target of the bench are built on it,
// because what they spend is taken from the machine that the proxy is measured on.
//
// It works on Linux; elsewhere it compiles, and every call returns ErrNotLinux.
package wire

import "errors"

// ErrNotLinux is what every call returns where there is no epoll.
var ErrNotLinux = errors.New("the bench needs Linux")

// ErrAgain says that a socket has nothing to read, or no room to write, for now.
var ErrAgain = errors.New("not now")

// Event is what happened to a socket.
type Event struct {
	Token    int32 // what the socket was added with
	Readable bool  // or ended: a read says which
	Writable bool
}
