// Package dial connects to targets, over TCP and unix sockets, with and without TLS,
// and to those that speak HTTP/2. Whatever the target speaks, the connection that
// comes out speaks HTTP/1.1: one to an HTTP/2 target is in memory, carries a single
// request, and stands for one stream of connections that are shared.
//
//	d := dial.New(dial.Options{Network: "tcp", Address: "web-1:443", TLS: &dial.TLS{}})
//	conn, err := d.Dial(ctx)
//
// What goes wrong is said so that a person can mend it. The package keeps no
// connections but those that are shared, chooses no target, and never logs.
package dial
