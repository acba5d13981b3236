// Package control serves the control socket: HTTP and JSON on a unix socket,
// under /v1. It is thin: every call goes to the Registry or the Daemon, and what
// they answer goes back.
//
// What holds for every call:
//
//   - Who may come in is decided once for each connection, by what the kernel
//     says about the other process: root, the user of proxyd, and the members of
//     the configured group. Anybody else is answered 403 whatever they ask.
//   - At most 64 connections are served. A further one is answered 503 and
//     closed; when even those pile up, it is closed without an answer. A request
//     must have arrived, body included, 5 s after its connection was accepted or,
//     on a connection used before, after its first byte.
//   - Bodies are at most 1 MiB and decoded strictly: an unknown field, a field
//     given twice, a value of the wrong kind and anything after the value are
//     errors that name the field. An empty body stands for {}.
//   - An error has an HTTP status (see statusOf), and the body
//     {"error":{"code":…,"message":…,"flag":…}}.
//   - A client that leaves cancels its call. Closing only the sending side
//     counts as leaving. What was published goes on, and so do pause, stop and
//     drain.
//
// Calls that wait (deploy, add, remove, drain, pause, stop, rollback) answer with
// JSON lines, each an api.Event: what the call sees while it waits, then one line
// with the result or the error. Whatever is refused before there is anything to
// tell about has its own HTTP status; afterwards the status is 200 and the last
// line decides. A client that reads slowly misses progress lines but never the
// last one, and never holds up the call.
//
//	curl --unix-socket /run/upfront/control.sock http://proxyd/v1/services
//	curl --unix-socket /run/upfront/control.sock http://proxyd/v1/services/web/deploy \
//	    --json '{"spec":{"health_check":{}},"targets":[{"address":"web-v2:3000"}]}'
//
// GET /v1/openapi.json describes all of it, made from the Go types.
//
// The socket: Listen makes its folder 0700, binds with the umask set so that the
// socket is never wider than 0600 (0660 with a group), and takes the place of a
// socket that nobody listens on any more. Close removes the file only while it
// is still the one that was made.
//
// A program that wires it:
//
//	ln, err := control.Listen(control.SocketOptions{Path: api.DefaultSocket()})
//	…
//	server := control.New(control.Options{Registry: registry, Daemon: daemon, Logger: log})
//	err = server.Serve(ctx, ln) // returns when ctx has ended and every call is over
package control
